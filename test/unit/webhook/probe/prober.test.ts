import { expect } from 'chai';
import { Registry as Register } from 'prom-client';

import type { KubernetesObject } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { createProbeAnswer } from '../../../../webhook/probe/answer.ts';
import { createProbeMetrics } from '../../../../webhook/probe/metrics.ts';
import { Prober } from '../../../../webhook/probe/prober.ts';
import { applyPatch } from '../../../support/apply-patch.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';

const FAILED =
  'POST /api/v1/namespaces/system/configmaps: 500 InternalError: Internal error occurred: ' +
  'failed calling webhook "probe.vaultinjection.dev": failed to call webhook: Post "https://127.0.0.1:9443/mutate/probe?timeout=5s": ';

/** What an API server does that reaches the webhook. */
function reviewed(object: KubernetesObject): KubernetesObject {
  const request = { uid: 'uid-1', operation: 'CREATE', kind: { group: '', version: 'v1', kind: 'ConfigMap' }, object };
  const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
  const { status, body } = createProbeAnswer('replica-1')(Buffer.from(JSON.stringify(review)));
  const { response } = JSON.parse(body) as { response: { allowed: boolean; patch: string } };
  expect([status, response.allowed]).to.deep.equal([200, true]);
  return applyPatch(object, JSON.parse(Buffer.from(response.patch, 'base64').toString()) as never) as KubernetesObject;
}

function failing(why: string): () => never {
  return () => {
    throw new ApiError(500, 'InternalError', FAILED + why);
  };
}

describe('probing the webhook', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let log: ReturnType<typeof testLog>;
  let register: Register;
  let programmed: boolean;
  let prober: Prober;
  let changes: number;

  beforeEach(() => {
    api = new MemoryApi();
    api.admit = reviewed;
    clock = new ManualClock();
    log = testLog();
    register = new Register();
    programmed = true;
    changes = 0;
    prober = new Prober({
      client: api,
      clock,
      random: () => 0,
      logger: log.logger,
      namespace: 'system',
      labels: { app: 'operator' },
      isProgrammed: () => programmed,
      port: 10250,
      metrics: createProbeMetrics(register),
    });
    prober.onChange(() => (changes += 1));
  });
  afterEach(() => prober.stop());

  const probes = (): number => api.calls.filter((call) => call.startsWith('apply')).length;
  const metric = async (name: string): Promise<string | undefined> =>
    (await register.metrics()).split('\n').find((line) => line.startsWith(name));

  it('finds out at once that it is reached, and asks twice a minute from then on', async () => {
    prober.start();
    await clock.advance(100);
    expect(prober.finding).to.deep.equal({
      status: 'True',
      reason: 'WebhookReached',
      message: 'the API server reaches the webhook',
    });
    expect(prober.hasBeenReached).to.equal(true);
    await clock.advance(600_000);
    expect(probes()).to.be.within(19, 21);
    expect(changes).to.equal(1);
    expect(await metric('vault_injection_webhook_reachable')).to.equal('vault_injection_webhook_reachable 1');
    expect(api.calls.every((call) => call === 'apply vault-injection-operator-probe')).to.equal(true);
  });

  it('does not ask more often because it is woken', async () => {
    prober.start();
    for (let at = 0; at < 300; at += 1) {
      await clock.advance(100);
      prober.wake();
    }
    expect(probes()).to.be.within(1, 2);
  });

  it('waits for the entry, and says after ten seconds that it waits', async () => {
    programmed = false;
    prober.start();
    await clock.advance(9000);
    expect([probes(), prober.finding]).to.deep.equal([0, undefined]);
    await clock.advance(4000);
    expect(prober.finding).to.include({ status: 'Unknown', reason: 'WebhookNotProbed' });
    programmed = true;
    prober.wake();
    await clock.advance(1000);
    expect(prober.finding?.status).to.equal('True');
  });

  it('says what the API server says, and what to do, after several failures in a row', async () => {
    api.admit = failing('dial tcp 127.0.0.1:9443: connect: connection refused');
    prober.start();
    await clock.advance(3000);
    expect(prober.finding, 'one or two failures prove nothing').to.equal(undefined);
    await clock.advance(5000);
    expect(prober.finding).to.include({ status: 'False', reason: 'WebhookUnreachable' });
    expect(prober.finding?.message)
      .to.match(
        /^the API server says: Post "https:\/\/127\.0\.0\.1:9443\/mutate\/probe\?timeout=5s": dial tcp .*refused; /,
      )
      .and.match(/--webhook-port \(10250\)$/);
    expect(await metric('vault_injection_webhook_reachable')).to.equal('vault_injection_webhook_reachable 0');
    expect(prober.hasBeenReached).to.equal(false);
    const before = probes();
    await clock.advance(60_000);
    expect(probes() - before, 'it asks again soon').to.be.within(12, 30);
    expect(changes, 'and says the same once').to.equal(1);
  });

  it('does not flap: one failure between successes changes nothing', async () => {
    prober.start();
    await clock.advance(29_000);
    api.admit = failing('EOF');
    await clock.advance(2000);
    api.admit = reviewed;
    await clock.advance(60_000);
    expect([prober.finding?.status, changes]).to.deep.equal(['True', 1]);
  });

  it('does not repeat itself when only the port of the connection differs', async () => {
    let port = 40_000;
    api.admit = () => failing(`read tcp 10.0.0.1:${(port += 1)}->10.0.0.2:9443: i/o timeout`)();
    prober.start();
    await clock.advance(60_000);
    expect(changes).to.equal(1);
    expect(prober.finding?.message).to.include('read tcp 10.0.0.2:9443: i/o timeout');
  });

  it('says so when the cause becomes another one, and when it is repaired', async () => {
    api.admit = failing('dial tcp 10.0.0.2:9443: i/o timeout');
    prober.start();
    await clock.advance(20_000);
    expect(prober.finding?.message).to.include('firewall').and.include('reach --webhook-port (10250) of the operator');
    api.admit = failing('no endpoints available for service "a"');
    await clock.advance(20_000);
    expect(prober.finding?.message).to.include('Service');
    api.admit = reviewed;
    await clock.advance(6000);
    expect(prober.finding?.status).to.equal('True');
  });

  it('takes an object that comes back unseen for a call that was not made: soon again, and in the end unreachable', async () => {
    api.admit = (object) => object;
    prober.start();
    await clock.advance(2000);
    expect(probes()).to.be.above(2);
    expect(prober.finding).to.equal(undefined);
    await clock.advance(15_000);
    expect(prober.finding).to.include({ status: 'False', reason: 'WebhookUnreachable' });
    expect(prober.finding?.message).to.include('does not call the webhook');
  });

  describe('that somebody else refuses', () => {
    const forbidden = new ApiError(403, 'Forbidden', 'POST …: 403 Forbidden: configmaps is forbidden');
    const refuse = (): never => {
      throw forbidden;
    };

    it('is not called unreachable', async () => {
      api.admit = refuse;
      prober.start();
      await clock.advance(20_000);
      expect(prober.finding).to.include({ status: 'Unknown', reason: 'WebhookNotProbed' });
      expect(prober.finding?.message).to.include('configmaps is forbidden').and.include('config/rbac');
    });

    it('takes back nothing that was proven', async () => {
      prober.start();
      await clock.advance(1000);
      api.admit = refuse;
      await clock.advance(120_000);
      expect(prober.finding).to.include({ status: 'True', reason: 'WebhookReached' });
      expect(prober.finding?.message).to.include('not probed since: POST …: 403 Forbidden');
      expect(changes).to.equal(2);
    });
  });

  it('changes nothing while the API server itself does not answer', async () => {
    prober.start();
    await clock.advance(1000);
    api.admit = () => {
      throw new ApiError(0, 'Unreachable', 'POST …: connection refused');
    };
    const before = probes();
    await clock.advance(630_000);
    expect([prober.finding?.status, changes]).to.deep.equal(['True', 1]);
    expect(probes() - before).to.be.below(130);
  });

  it('forgets its finding when it no longer leads, and probes at once when it leads again', async () => {
    prober.start();
    await clock.advance(1000);
    await prober.stop();
    expect([prober.finding, prober.hasBeenReached]).to.deep.equal([undefined, true]);
    const before = probes();
    prober.start();
    await clock.advance(100);
    expect(probes() - before).to.equal(1);
  });

  it('answers what is no review with 400', () => {
    expect(createProbeAnswer('replica-1')(Buffer.from('{}')).status).to.equal(400);
  });
});
