/** Reviews per second of the operator as it is shipped, on a real API server, beside a bare echo on the same bodies. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { createAuthority } from '../support/pki.ts';
import { freePort } from '../support/ports.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { fixed, median, table } from './table.ts';
import { webhookPath } from '../support/webhook-path.ts';

const here = import.meta.dirname;
const ROUNDS = 3;
const SECONDS = 5;
const CONNECTIONS = [1, 16, 64];
const STARTS = 5;
// Two builds differ by less than one start of a build from its next: what the compiler of V8 does at first, it keeps.
const COMPARED_STARTS = 7;
const COMPARED_ROUNDS = 3;

interface Load {
  reviewsPerSecond: number;
  ms: { p50: number; p99: number };
  errors: number;
  patchBytes: number;
  server: { rssPeakMiB: number; cpuSecondsPer1000: number };
}

interface Contender {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly body: 'deployment' | 'deployment-noref' | 'pod' | 'pod-noref';
  readonly expect: 'patch' | 'nopatch';
}

/** Markdown with the tables of reviews and of starts. */
export async function benchAdmission(): Promise<string> {
  const plane = await startControlPlane({ controllers: false });
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-bench-'));
  const echoes: ChildProcess[] = [];
  try {
    const starts = await benchStarts(plane);
    const operator = await startOperator({ controlPlane: plane, bundled: true });
    try {
      const path = await programmed(plane);
      const patchBytes = (await load({ ...contenderOf(operator, path, 'deployment', 'patch'), name: 'size' }, 1, 1))
        .patchBytes;
      const echo = await startEcho(scratch, patchBytes, echoes);
      const bare = await startEcho(scratch, 0, echoes);
      const rows = await compare([
        [contenderOf(operator, path, 'deployment', 'patch'), { ...echo, body: 'deployment', expect: 'patch' }],
        [
          contenderOf(operator, path, 'deployment-noref', 'nopatch'),
          { ...bare, body: 'deployment-noref', expect: 'nopatch' },
        ],
      ]);
      const pods = await benchPods(plane, operator, path, scratch, bare, echoes);
      return `${rows}\n\n${pods}\n\n${starts}\n`;
    } finally {
      await operator.stop();
    }
  } finally {
    for (const echo of echoes) echo.kill('SIGTERM');
    rmSync(scratch, { recursive: true, force: true });
    await plane.stop();
  }
}

/** The same for pods that a ReplicaSet creates, under a policy that names Pod and not the kind of their owner. */
async function benchPods(
  plane: ControlPlane,
  operator: RunningOperator,
  path: string,
  scratch: string,
  bare: Omit<Contender, 'body' | 'expect'>,
  echoes: ChildProcess[],
): Promise<string> {
  await new Cluster(plane).policy(policy('payments', 'payments', { targets: ['Pod'] }));
  const size = await eventually('pods to be injected', async () => {
    const sized = await load({ ...contenderOf(operator, path, 'pod', 'patch'), name: 'size' }, 1, 1).catch(
      () => undefined,
    );
    return sized !== undefined && sized.patchBytes > 0 ? sized.patchBytes : undefined;
  });
  const echo = await startEcho(scratch, size, echoes);
  return await compare([
    [contenderOf(operator, path, 'pod', 'patch'), { ...echo, body: 'pod', expect: 'patch' }],
    [contenderOf(operator, path, 'pod-noref', 'nopatch'), { ...bare, body: 'pod-noref', expect: 'nopatch' }],
  ]);
}

/**
 * Reviews per second of this build beside those of another one, in turns, each started several times. Each has an API
 * server of its own, since two operators of one cluster would write the same webhook configuration.
 * @param dist where `make build` of the other checkout put its operator
 */
export async function compareAdmission(dist: string): Promise<string> {
  const planes = [
    await startControlPlane({ controllers: false }),
    await startControlPlane({ controllers: false }),
  ] as const;
  try {
    const runs = COMPARED.map((): [Load[], Load[]] => [[], []]);
    for (let start = 1; start <= COMPARED_STARTS; start++) {
      process.stderr.write(`bench: start ${start} of ${COMPARED_STARTS} of both, 16 connections\n`);
      await compareStarted(planes, dist, runs);
    }
    const head = ['reviews/s', 'before', 'ratio', 'CPU ms/review', 'before', 'ratio', 'RSS peak MiB', 'before'];
    const rows = COMPARED.map(([body], at) => comparedRow(`${body}.json, 16`, ...(runs[at] ?? [[], []])));
    return table([['body, connections', ...head], ...rows]);
  } finally {
    for (const plane of planes) await plane.stop();
  }
}

const COMPARED = [
  ['deployment', 'patch'],
  ['deployment-noref', 'nopatch'],
] as const;

/** Starts both, adds what they do to `runs`, by body, and stops them. */
async function compareStarted(
  planes: readonly [ControlPlane, ControlPlane],
  dist: string,
  runs: readonly (readonly [Load[], Load[]])[],
): Promise<void> {
  const operators: RunningOperator[] = [];
  try {
    operators.push(await startOperator({ controlPlane: planes[0], bundled: true }));
    operators.push(await startOperator({ controlPlane: planes[1], bundled: true, dist }));
    const paths = [await programmed(planes[0]), await programmed(planes[1])] as const;
    const [now, before] = operators as [RunningOperator, RunningOperator];
    for (const [index, [body, expect]] of COMPARED.entries()) {
      for (let round = -1; round < COMPARED_ROUNDS; round++) {
        // who goes first takes turns as well; the first round only warms up
        const order = round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const);
        for (const at of order) {
          const one = await load(contenderOf(at === 0 ? now : before, paths[at], body, expect), 16, SECONDS);
          if (round >= 0) runs[index]?.[at].push(one);
        }
      }
    }
  } finally {
    for (const operator of operators) await operator.stop();
  }
}

function comparedRow(name: string, now: Load[], before: Load[]): (string | number)[] {
  const of = (loads: Load[], pick: (one: Load) => number): number => median(loads.map(pick));
  const rate = (one: Load): number => one.reviewsPerSecond;
  const cpu = (one: Load): number => one.server.cpuSecondsPer1000;
  const peak = (loads: Load[]): string => fixed(Math.max(...loads.map((one) => one.server.rssPeakMiB)));
  return [
    name,
    fixed(of(now, rate), 0),
    fixed(of(before, rate), 0),
    fixed(of(now, rate) / of(before, rate), 3),
    fixed(of(now, cpu), 4),
    fixed(of(before, cpu), 4),
    fixed(of(now, cpu) / of(before, cpu), 3),
    peak(now),
    peak(before),
  ];
}

/** Resolves with the path at which API servers send the workloads of a policy with failurePolicy Fail. */
async function programmed(plane: ControlPlane): Promise<string> {
  const cluster = new Cluster(plane);
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'payments' } });
  await cluster.policy(policy('payments', 'payments'));
  return await webhookPath(plane, 'fail');
}

const contenderOf = (
  operator: RunningOperator,
  path: string,
  body: Contender['body'],
  expect: Contender['expect'],
): Contender => ({
  name: 'operator',
  url: operator.webhookUrl + path,
  pid: operator.pid,
  body,
  expect,
});

async function compare(pairs: readonly (readonly [Contender, Contender])[]): Promise<string> {
  const rows: (string | number)[][] = [
    [
      'body, connections',
      'reviews/s',
      'echo',
      'ratio',
      'p50 / p99 ms',
      'echo',
      'CPU ms/review',
      'echo',
      'RSS peak MiB',
      'echo',
      'errors',
    ],
  ];
  for (const [subject, echo] of pairs) {
    for (const connections of CONNECTIONS) {
      process.stderr.write(`bench: ${subject.body}, ${connections} connections\n`);
      const runs: [Load[], Load[]] = [[], []];
      for (let round = 0; round < ROUNDS; round++) {
        runs[0].push(await load(subject, connections, SECONDS));
        runs[1].push(await load(echo, connections, SECONDS));
      }
      rows.push(rowOf(`${subject.body}.json, ${connections}`, ...runs));
    }
  }
  return table(rows);
}

function rowOf(name: string, subject: Load[], echo: Load[]): (string | number)[] {
  const of = (loads: Load[], pick: (one: Load) => number): number => median(loads.map(pick));
  const rate = (loads: Load[]): number => of(loads, (one) => one.reviewsPerSecond);
  const latency = (loads: Load[]): string =>
    `${fixed(
      of(loads, (one) => one.ms.p50),
      2,
    )} / ${fixed(
      of(loads, (one) => one.ms.p99),
      2,
    )}`;
  const cpu = (loads: Load[]): string =>
    fixed(
      of(loads, (one) => one.server.cpuSecondsPer1000),
      3,
    );
  const rss = (loads: Load[]): string => fixed(Math.max(...loads.map((one) => one.server.rssPeakMiB)));
  const errors = [...subject, ...echo].reduce((sum, one) => sum + one.errors, 0);
  const ratio = fixed(rate(subject) / rate(echo), 2);
  return [
    name,
    fixed(rate(subject), 0),
    fixed(rate(echo), 0),
    ratio,
    latency(subject),
    latency(echo),
    cpu(subject),
    cpu(echo),
    rss(subject),
    rss(echo),
    errors,
  ];
}

function load(target: Contender, connections: number, seconds: number): Promise<Load> {
  const args = ['--url', target.url, '--insecure', '--body', join(here, 'bodies', `${target.body}.json`)];
  const limits = ['--connections', String(connections), '--seconds', String(seconds), '--pid', String(target.pid)];
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(here, 'admission-load.mjs'), ...args, ...limits, '--expect', target.expect],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Load);
      else reject(new Error(`the load generator ended with ${code ?? 'a signal'}: ${text}`));
    });
  });
}

async function startEcho(
  scratch: string,
  patchBytes: number,
  started: ChildProcess[],
): Promise<Omit<Contender, 'body' | 'expect'>> {
  const port = await freePort();
  const { certificate, key } = await (await createAuthority('echo')).server('echo', ['127.0.0.1']);
  const [cert, keyFile] = [join(scratch, `${port}.crt`), join(scratch, `${port}.key`)];
  writeFileSync(cert, certificate);
  writeFileSync(keyFile, key, { mode: 0o600 });
  const args = ['--port', String(port), '--cert', cert, '--key', keyFile, '--patch-bytes', String(patchBytes)];
  const child = spawn(process.execPath, [join(here, 'echo.mjs'), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  started.push(child);
  await new Promise((resolve) => child.stderr.once('data', resolve)); // it says that it listens
  return { name: 'echo', url: `https://127.0.0.1:${port}/mutate`, pid: child.pid ?? -1 };
}

/** From the start of the process to the first /readyz that says 200, with nothing cached but what the Secret holds. */
async function benchStarts(plane: ControlPlane): Promise<string> {
  const times: number[] = [];
  const node: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    const operator = await startOperator({ controlPlane: plane, bundled: true });
    times.push(operator.readyAfterMs);
    await operator.stop();
    const started = performance.now();
    execFileSync(process.execPath, ['-e', '0']);
    node.push(performance.now() - started);
  }
  await eventually('the last one to be gone', () => true);
  return table([
    ['start to ready, bundled', 'median ms', 'slowest ms'],
    ['operator', fixed(median(times), 0), fixed(Math.max(...times), 0)],
    ['node -e 0', fixed(median(node), 0), fixed(Math.max(...node), 0)],
  ]);
}
