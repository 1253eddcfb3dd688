import { Agent, request } from 'node:https';

import { expect } from 'chai';

import { mutateWorkload } from '../../core/injection/mutate.ts';
import { systemClock } from '../../kube/clock.ts';
import { createAdmission } from '../../webhook/admission.ts';
import { createAuthority } from '../../webhook/certificates/authority.ts';
import { issueLeaf } from '../../webhook/certificates/leaf.ts';
import { createWebhookMetrics } from '../../webhook/metrics.ts';
import { createProbeAnswer } from '../../webhook/probe/answer.ts';
import { WebhookServer } from '../../webhook/server.ts';
import { loopback } from '../support/loopback.ts';
import { reviewBody } from '../support/review-body.ts';
import { unguardedPaths } from '../support/unguarded-paths.ts';
import { testLog } from '../support/test-log.ts';

const MIB = 2 ** 20;

// Needs no cluster; it is here because it takes longer than all unit tests of the webhook together.
describe('the memory of the webhook server', () => {
  let server: WebhookServer;
  let agent: Agent;
  let port: number;

  before(async () => {
    const authority = await createAuthority(Date.now());
    const pair = await issueLeaf(authority, ['127.0.0.1'], Date.now());
    const { logger } = testLog();
    const metrics = createWebhookMetrics();
    const rules = { version: 1, rulesFor: () => [], unusableFor: () => [] };
    const admission = createAdmission({ rules: () => rules, mutate: mutateWorkload, metrics, logger });
    const parts = {
      admission,
      probe: createProbeAnswer('replica'),
      metrics,
      logger,
      clock: systemClock,
      turnedAway: { note: () => undefined },
      paths: unguardedPaths(),
    };
    server = new WebhookServer({ ...parts, place: loopback(), certificate: () => pair });
    ({ port } = await server.start());
    agent = new Agent({ keepAlive: true, ca: authority.certificate });
  });

  after(async () => {
    agent.destroy();
    await server.drain({ answerMs: 0, refuseMs: 0, cutMs: 0 });
  });

  /** Resolves with the status. */
  function post(body: Buffer, contentType = 'application/json'): Promise<number> {
    const headers = { 'Content-Type': contentType, 'Content-Length': body.length };
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/mutate/ignore', method: 'POST', agent, headers })
        .on('response', (incoming) => incoming.resume().on('end', () => resolve(incoming.statusCode ?? 0)))
        .on('error', reject)
        .end(body);
    });
  }

  it('stays flat over a thousand malformed bodies', async function () {
    this.timeout(120_000);
    const whole = reviewBody();
    const large = Buffer.alloc(8 * MIB, 32);
    const deep = Buffer.from('{"a":'.repeat(100_000));
    const bodies: readonly [() => Promise<number>, number][] = [
      [() => post(whole.subarray(0, Math.floor(Math.random() * whole.length))), 400],
      [() => post(Buffer.from('{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}')), 400],
      [() => post(deep), 400],
      [() => post(whole, 'text/plain'), 415],
      [() => post(large), 413],
    ];
    const round = async (times: number): Promise<void> => {
      for (let turn = 0; turn < times; turn++) {
        for (const [ask, status] of bodies) expect(await ask()).to.equal(status);
      }
    };
    await round(40);
    const before = process.memoryUsage().rss;
    await round(160);
    expect(await post(whole)).to.equal(200);
    // 160 of the large bodies alone are 1,280 MiB
    expect((process.memoryUsage().rss - before) / MIB).to.be.below(150);
  });
});
