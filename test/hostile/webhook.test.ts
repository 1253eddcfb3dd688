/**
 * Any pod that reaches the ports of the operator, beside API servers that send reviews: all of those are answered. Each
 * case takes some seconds.
 */
import { Agent, request } from 'node:https';

import { expect } from 'chai';

import { deployment, policy } from '../integration/manifests.ts';
import { Cluster, WRAPPER } from '../integration/cluster.ts';
import { BUILDING_MS } from '../support/building.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import { webhookPath } from '../support/webhook-path.ts';
import { attack } from './attackers.ts';
import type { Attack, AttackOptions } from './attackers.ts';

const ATTACKED_MS = 3_000;
/** Reviews at the same time. */
const CLIENTS = 4;
const MIB = 2 ** 20;
/** What a stranger can guess: no API server calls it. */
const GUESSED_PATH = '/mutate/fail';
const WRONG_PATH = `/mutate/${'0123456789'.repeat(4)}/fail`;

type Shape = Omit<AttackOptions, 'port' | 'from'>;

const head = (path: string, length: number, method = 'POST'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
const DRIP = '{';

describe('a stranger who reaches the ports of the operator', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let operator: RunningOperator;
  let agent: Agent;
  /** Of somebody who has learned it. */
  let path: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    operator = await startOperator({ controlPlane: plane, flags: ['--certificate-wait', '1s'] });
    const cluster = new Cluster(plane);
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop'));
    const { certificate: cert, key } = await plane.authority.client('author', ['system:masters']);
    agent = new Agent({ keepAlive: true, ca: plane.caPem, cert, key });
    path = await webhookPath(plane, 'fail');
    // it is answered until API servers have learned the other one
    await eventually('the path without a token to be closed', async () =>
      (await statusOf(GUESSED_PATH)) === 404 ? true : undefined,
    );
    expect(await statusOf(path)).to.equal(400);
  });
  after(async () => {
    agent.destroy();
    await operator.stop();
    await plane.stop();
  });

  /** Posts an empty body to the operator; resolves with the status. */
  function statusOf(to: string, url = operator.webhookUrl + to): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json' };
      const options = { method: 'POST', rejectUnauthorized: false, headers, agent: false as const };
      request(url, options, (incoming) => resolve(incoming.resume().statusCode ?? 0))
        .on('error', reject)
        .end();
    });
  }

  /** Has the API server create a Deployment as a dry run; resolves with why it was not injected; '' if it was. */
  function review(name: string): Promise<string> {
    return new Promise((resolve) => {
      const url = `${plane.server}/apis/apps/v1/namespaces/shop/deployments?dryRun=All`;
      const outgoing = request(
        url,
        { method: 'POST', agent, headers: { 'Content-Type': 'application/json' } },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8').on('data', (part: string) => (text += part));
          incoming.on('end', () => resolve(text.includes(`"${WRAPPER}"`) ? '' : text.slice(0, 300)));
        },
      );
      outgoing.on('error', (error) => resolve(error.message));
      outgoing.end(JSON.stringify(deployment('shop', name)));
    });
  }

  /** Sends reviews as long as the attackers attack; resolves with how many, and with what went wrong. */
  async function reviewsDuring(attacks: readonly Attack[]): Promise<{ reviews: number; failed: readonly string[] }> {
    const until = performance.now() + ATTACKED_MS;
    const failed: string[] = [];
    let reviews = 0;
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        while (performance.now() < until) {
          const why = await review(`web-${client}`);
          reviews += 1;
          if (why !== '') failed.push(why);
        }
      }),
    );
    for (const one of attacks) one.stop();
    return { reviews, failed };
  }

  const shapes: readonly [string, () => readonly Shape[]][] = [
    [
      'sends nothing, before or after the handshake',
      () => [
        { connections: 600, tls: false, head: '' },
        { connections: 600, tls: false, head: '' },
        { connections: 600, tls: false, head: '' },
        { connections: 100, tls: true, head: '' },
      ],
    ],
    ['sends headers byte by byte', () => [{ connections: 100, tls: true, head: 'POST / HTTP/1.1\r\nX: ', then: 'x' }]],
    [
      'sends garbage',
      () => [
        { connections: 50, tls: true, head: Buffer.alloc(1000, 7) },
        { connections: 50, tls: false, head: Buffer.alloc(1000, 7) },
      ],
    ],
    [
      'never ends a body, at a guessed path',
      () => [{ connections: 100, tls: true, head: head(GUESSED_PATH, MIB), then: DRIP }],
    ],
    [
      'sends large bodies to a guessed path',
      () => [{ connections: 20, tls: true, head: head(GUESSED_PATH, 64 * MIB), then: Buffer.alloc(MIB, 32) }],
    ],
    [
      'sends bodies, and never ends others, at paths with tokens that are none',
      () => [
        { connections: 200, tls: true, head: head(WRONG_PATH, MIB / 2), then: Buffer.alloc(65_536, 32) },
        { connections: 200, tls: true, head: head(WRONG_PATH, MIB / 2), then: DRIP },
      ],
    ],
    ['never ends a body', () => [{ connections: 600, tls: true, head: head(path, MIB), then: DRIP }]],
    [
      'fills the room for bodies',
      () => [{ connections: 40, tls: true, head: head(path, 6 * MIB), then: Buffer.alloc(65_536, 32) }],
    ],
  ];

  for (const [what, attacks] of shapes)
    it(`stops no review: one who ${what}`, async () => {
      const port = operator.webhookPort;
      const running = attacks().map((shape, at) => attack({ ...shape, port, from: `127.0.0.${at + 2}` }));
      const { reviews, failed } = await reviewsDuring(running);
      expect(failed).to.deep.equal([]);
      expect(reviews, 'reviews').to.be.greaterThan(CLIENTS);
      for (const { opened } of running) expect(opened(), 'connections of the attacker').to.be.greaterThan(19);
      expect(operator.running()).to.equal(true);
    });

  it('answers nobody at a guessed path while a replica starts', async () => {
    const second = await startOperator({ controlPlane: plane, prepare: false });
    try {
      const statuses = new Set<number>();
      const isReady = async (): Promise<boolean> =>
        (await second.health('/readyz').catch(() => undefined))?.status === 200;
      do {
        const url = `${second.webhookUrl}${GUESSED_PATH}`;
        statuses.add(await statusOf(GUESSED_PATH, url).catch(() => 404)); // not listening yet
      } while (!(await isReady()));
      statuses.add(await statusOf(GUESSED_PATH, `${second.webhookUrl}${GUESSED_PATH}`));
      expect([...statuses]).to.deep.equal([404]);
    } finally {
      await second.stop();
    }
  });

  it('stops neither probes nor metrics by a flood at the health port', async () => {
    const port = Number(new URL(operator.healthUrl).port);
    const flood = [
      {
        connections: 200,
        tls: false,
        head: 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n',
        then: 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n',
      },
      { connections: 200, tls: false, head: 'GET /livez HTTP/1.1\r\nX: ', then: 'x' },
    ].map((shape, at) => attack({ ...shape, port, from: `127.0.0.${at + 2}` }));
    const during = reviewsDuring(flood);
    const statuses = new Set<number>();
    for (let turn = 0; turn < 20; turn++) {
      statuses.add((await operator.health('/livez')).status);
      statuses.add((await operator.health('/readyz')).status);
    }
    expect((await during).failed).to.deep.equal([]);
    expect([...statuses]).to.deep.equal([200]);
  });

  it('makes a bounded number of lines in the log, and is counted', async () => {
    const lines = operator
      .log()
      .split('\n')
      .filter((line) => line.includes('clients were turned away'));
    expect(lines.length).to.be.within(2, 10);
    const { body } = await operator.health('/metrics');
    for (const reason of ['path', 'malformed', 'rate', 'displaced'])
      expect(body).to.match(
        new RegExp(`^vault_injection_turned_away_total\\{server="webhook",reason="${reason}"\\} [1-9]`, 'm'),
      );
  });
});
