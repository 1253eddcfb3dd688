/** Strangers with 200 connections to each replica for a minute, beside updates of workloads under failurePolicy Fail. */
import { attack } from '../hostile/attackers.ts';
import type { Attack, AttackOptions } from '../hostile/attackers.ts';
import { Toll } from '../hostile/toll.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { webhookPath } from '../support/webhook-path.ts';
import { leaveAlone, loadTable, prepareScene } from './rolling.ts';
import type { LoadResult, Scene } from './rolling.ts';
import { setting } from './setting.ts';
import { atLeast, atMost, never } from './table.ts';
import type { Aim, Report } from './table.ts';

const SECONDS = setting('CHAOS_SECONDS', 60);
// What is left of two processors for the attackers, the API server and etcd is little.
const RATE = setting('CHAOS_RATE', 50);
const WARM_UP_SECONDS = 10;
/** Another build to play it against, for comparisons; default: this checkout's. */
const DIST = process.env.CHAOS_DIST;
/** memory of the container: config/operator/deployment.yaml */
const LIMIT_MIB = 512;
const CONNECTIONS = 200;
const MIB = 2 ** 20;
const MOST_TOLD = 3;

type Shape = Omit<AttackOptions, 'port' | 'from' | 'connections'>;

const head = (path: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
const GET = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';

/** What each of the connections of an act does: they are shared out evenly. `path` is known to who has learned it. */
const ACTS: readonly (readonly [string, (path: string) => readonly Shape[]])[] = [
  [
    'slow bodies',
    (path) => [
      { tls: true, head: head('/mutate/fail', MIB), then: '{' },
      { tls: true, head: head(path, MIB), then: '{' },
    ],
  ],
  [
    'floods',
    (path) => [
      { tls: true, head: head('/mutate/fail', 64 * MIB), then: Buffer.alloc(MIB, 32) },
      { tls: true, head: head(path, 6 * MIB), then: Buffer.alloc(65_536, 32) },
      { tls: true, head: GET, then: GET },
    ],
  ],
  [
    'half-open',
    () => [
      { tls: false, head: '' },
      { tls: true, head: '' },
      { tls: true, head: 'POST / HTTP/1.1\r\nX: ', then: 'x' },
    ],
  ],
  [
    'garbage',
    () => [
      { tls: false, head: Buffer.alloc(1000, 7) },
      { tls: true, head: Buffer.alloc(1000, 7) },
      { tls: false, head: GET },
    ],
  ],
];

export async function playStrangers(tell: (line: string) => void): Promise<Report[]> {
  const plane = await startControlPlane({ controllers: false });
  try {
    const scene = await prepareScene({
      ...{ plane, rate: RATE, bundled: true },
      ...(DIST === undefined ? {} : { dist: DIST }),
    });
    try {
      await leaveAlone(scene, WARM_UP_SECONDS);
      tell('strangers: nobody');
      const results = [await leaveAlone(scene, SECONDS / 4)];
      const tolls: string[] = [];
      const peaks: number[] = [];
      let opened = 0;
      const path = await webhookPath(plane, 'fail');
      for (const [what, shapes] of [...ACTS, allAtOnce()] as const) {
        tell(`strangers: ${what}`);
        const found = await attacked(scene, what, shapes(path));
        results.push(found.result);
        tolls.push(...found.tolls);
        peaks.push(...found.peaksMiB);
        opened += found.opened;
      }
      return [reportOf(results, tolls, opened, Math.max(...peaks), scene)];
    } finally {
      await scene.close();
    }
  } finally {
    await plane.stop();
  }
}

function allAtOnce(): (typeof ACTS)[number] {
  return ['everything at once', (path) => ACTS.flatMap(([, shapes]) => shapes(path))];
}

interface Found {
  readonly result: LoadResult;
  readonly tolls: readonly string[];
  readonly peaksMiB: readonly number[];
  readonly opened: number;
}

/** One act against both replicas, each from an address of its own. */
async function attacked(scene: Scene, what: string, shapes: readonly Shape[]): Promise<Found> {
  const tolls = scene.set.replicas.map(({ operator }) => new Toll(() => operator));
  const attacks: Attack[] = scene.set.replicas.flatMap(({ operator }, replica) =>
    shapes.map((shape, at) =>
      attack({
        ...shape,
        port: operator.webhookPort,
        from: `127.0.${replica + 1}.${at + 2}`,
        connections: Math.ceil(CONNECTIONS / shapes.length),
      }),
    ),
  );
  try {
    const result = await leaveAlone(scene, SECONDS);
    const lines = await Promise.all(tolls.map((toll) => toll.stop()));
    return {
      result: { ...result, act: what },
      tolls: lines.map((line, replica) => `- ${what}, replica ${replica + 1}: ${line}`),
      peaksMiB: tolls.map((toll) => toll.peakMiB),
      opened: attacks.reduce((sum, one) => sum + one.opened(), 0),
    };
  } finally {
    for (const one of attacks) one.stop();
  }
}

function reportOf(
  results: readonly LoadResult[],
  tolls: readonly string[],
  opened: number,
  peakMiB: number,
  { set }: Scene,
): Report {
  const failures = results.flatMap((result) => result.failures);
  const told = failures.slice(0, MOST_TOLD).map(({ message }) => `- failed: ${message}`);
  const aims: Aim[] = [
    never('updates that failed', failures.length),
    never(
      'stored without their injection',
      results.reduce((sum, { bare }) => sum + bare, 0),
    ),
    never('replicas that ended', set.replicas.filter(({ operator }) => !operator.running()).length),
    atMost(LIMIT_MIB, 'peak RSS of a replica', peakMiB, ' MiB'),
    atLeast(CONNECTIONS * ACTS.length, 'connections that the strangers opened', opened),
  ];
  return {
    title: `Strangers with ${CONNECTIONS} connections to each of two replicas`,
    details: [`${loadTable(results)}\n`, ...tolls, ...told].join('\n'),
    aims,
  };
}
