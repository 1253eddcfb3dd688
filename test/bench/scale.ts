/**
 * What a big cluster costs the operator, on a real API server, beside what a small one costs: how long until it is ready
 * and knows all workloads, what memory and connections that takes, how long its event loop is blocked, what it asks of
 * the API server when nothing happens and while namespaces arrive, and how long a changed policy takes to be in force.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { startVault, type Vault } from '../support/vault.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Api } from './api.ts';
import { auditFlags, requestsBetween } from './audit-log.ts';
import type { Blocked, Memory } from './operator-figures.ts';
import { BlockLog, memoryOf, Watcher } from './operator-figures.ts';
import type { PolicyObject, Shape } from './scale-cluster.ts';
import { deploymentsOf, progress, ScaleCluster } from './scale-cluster.ts';
import type { PodFigures } from './scale-pods.ts';
import { measurePods } from './scale-pods.ts';
import { fixed, median, table } from './table.ts';

const SMALL: Shape = { namespaces: 50, policies: 500, workloads: 5000, padding: 0 };
const LARGE: Shape = { namespaces: 5000, policies: 5000, workloads: 20_000, padding: 34 };

// For a look on a busy machine: BENCH_SHRINK=10 node test/bench/run.ts scale. BENCH_SHAPES=large measures only that one.
const SHRINK = sizeOf('BENCH_SHRINK', 1);
const SHAPES = (process.env.BENCH_SHAPES ?? 'small,large').split(',');
const CHANGES = sizeOf('BENCH_CHANGES', 50);
const IDLE_SECONDS = sizeOf('BENCH_IDLE_SECONDS', 60);
// Created within a minute.
const PODS = sizeOf('BENCH_PODS', 5000);
const ARRIVALS = 300;
const ARRIVALS_PER_SECOND = 10;
// It is idle when everything that is written once (statuses, Events, the rules of policies) has been written, at the
// operator's own pace, and what is written again and again is all that is left.
const SETTLE_SECONDS = 15;
const MOST_SETTLING_SECONDS = 1_200;
const WRITTEN_ONCE = /^(create|patch|update) (events|controllerrevisions|vaultinjectionpolicies)$/;
const STATUS_LOOK_MS = 500;
const USER = 'vault-injection-operator';
// Ten is what an administrator may give a process without starving the kernel's own.
const PRIORITY = -10;

interface Figures {
  readonly shape: Shape;
  readonly workloadBytes: number;
  readonly readyMs: number;
  readonly inventoryMs: number;
  readonly statusMs: number;
  readonly connections: number;
  readonly blockedToReady: Blocked;
  readonly blockedAtStart: Blocked;
  readonly blockedLater: Blocked;
  readonly memory: Memory;
  readonly idleMiB: number;
  readonly idle: readonly (readonly [kind: string, perMinute: number])[];
  readonly inForceMs: readonly number[];
  readonly inStatusMs: readonly number[];
  readonly writesPerSecond: number;
  readonly arrivalsPerSecond: number;
  readonly pods: PodFigures;
}

/** Markdown with one table. */
export async function benchScale(): Promise<string> {
  const figures: Figures[] = [];
  for (const name of SHAPES) figures.push(await measure(shrunk(name === 'small' ? SMALL : LARGE)));
  return report(figures);
}

function sizeOf(variable: string, byDefault: number): number {
  const size = Number(process.env[variable] ?? byDefault);
  if (!Number.isInteger(size) || size < 1) throw new Error(`${variable} has to be a whole number above 0`);
  return size;
}

function shrunk({ namespaces, policies, workloads, padding }: Shape): Shape {
  const less = (count: number): number => Math.ceil(count / SHRINK);
  return { namespaces: less(namespaces), policies: less(policies), workloads: less(workloads), padding };
}

async function measure(shape: Shape): Promise<Figures> {
  const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-bench-'));
  const auditLog = join(scratch, 'audit.log');
  const plane = await startControlPlane({ controllers: false, apiServerArgs: auditFlags(scratch, auditLog, USER) });
  let vault: Vault | undefined;
  let operator: RunningOperator | undefined;
  try {
    vault = await startVault();
    const cluster = new ScaleCluster(shape, new Api(plane.kubeconfig), vault.address);
    const blocks = new BlockLog(join(scratch, 'blocks'));
    operator = await startAs(plane, blocks);
    const samples = await cluster.makeSamples();
    await operator.stop();
    await cluster.copy(samples, plane.etcdEndpoint);
    const start = await timedStart(plane, cluster, blocks);
    operator = start.operator;
    const later = new Watcher(operator, plane.server);
    const begun = Date.now();
    await settled(auditLog);
    progress(`idle: ${IDLE_SECONDS} s that count`);
    const idle = await measureIdle(auditLog);
    const idleMiB = memoryOf(operator.pid).rssMiB;
    const changes = await measureChanges(cluster);
    const arrivals = await measureArrivals(cluster, auditLog);
    const pods = await measurePods(cluster, PODS);
    await later.stop();
    return {
      shape,
      ...start.figures,
      ...changes,
      ...arrivals,
      pods,
      idle,
      idleMiB,
      workloadBytes: await cluster.workloadBytes(),
      connections: Math.max(start.figures.connections, later.mostConnections),
      blockedLater: blocks.between(begun, Date.now()),
      memory: memoryOf(operator.pid),
    };
  } finally {
    await operator?.stop();
    await vault?.stop();
    await plane.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The operator as it is shipped, as a separate user, so that the audit log tells its requests from others. */
async function startAs(plane: ControlPlane, { nodeFlags }: BlockLog): Promise<RunningOperator> {
  const kubeconfig = await plane.kubeconfigOf(USER, ['system:masters']);
  const started = startOperator({
    controlPlane: { ...plane, kubeconfig },
    bundled: true,
    nodeFlags,
    // The API server and the load generator take turns on the same cores: how long it waits for them is not its doing.
    onStarted: (pid) => prefer(pid),
  });
  return started;
}

function prefer(pid: number): void {
  try {
    setPriority(pid, PRIORITY);
  } catch {
    progress('not root: the operator shares its core with the API server, so its event loop is blocked by that too');
  }
}

interface Start {
  readonly operator: RunningOperator;
  readonly figures: Pick<
    Figures,
    'readyMs' | 'inventoryMs' | 'statusMs' | 'connections' | 'blockedToReady' | 'blockedAtStart'
  >;
}

async function timedStart(plane: ControlPlane, cluster: ScaleCluster, blocks: BlockLog): Promise<Start> {
  progress('the operator starts');
  const { workloads, policies } = cluster.shape;
  const before = performance.now();
  const begun = Date.now();
  const operator = await startAs(plane, blocks);
  const readyAt = Date.now();
  // what was done before its process began
  const earlier = performance.now() - before - operator.readyAfterMs;
  const since = (): number => performance.now() - before - earlier;
  const watcher = new Watcher(operator, plane.server);
  await eventually(
    'the inventory to know all workloads',
    async () => (await known(operator)) >= workloads || undefined,
    300_000,
  );
  const inventoryMs = since();
  const perPolicy = Math.floor(workloads / policies);
  await cluster.policiesAre('counted', policies, ({ status }) => (status?.workloads?.matched ?? 0) >= perPolicy);
  const statusMs = since();
  await watcher.stop();
  const figures = {
    readyMs: operator.readyAfterMs,
    inventoryMs,
    statusMs,
    connections: watcher.mostConnections,
    blockedToReady: blocks.between(begun, readyAt),
    blockedAtStart: blocks.between(readyAt, Date.now()),
  };
  return { operator, figures };
}

/** Waits until nothing has been written for the first time for a while. Rejects if it does not end. */
async function settled(auditLog: string): Promise<void> {
  const began = Date.now();
  for (;;) {
    await sleep(SETTLE_SECONDS * 1000);
    const { counts } = requestsBetween(auditLog, Date.now() - SETTLE_SECONDS * 1000, Date.now());
    const writes = [...counts].filter(([kind]) => WRITTEN_ONCE.test(kind));
    if (writes.length === 0) return;
    const text = writes.map(([kind, count]) => `${kind} ${count}`).join(', ');
    progress(`not idle yet, in the last ${SETTLE_SECONDS} s: ${text}`);
    if (Date.now() - began > MOST_SETTLING_SECONDS * 1000)
      throw new Error(`the operator does not come to rest: ${text}`);
  }
}

/** Workloads in the operator's own metric. */
async function known(operator: RunningOperator): Promise<number> {
  const { body } = await operator.health('/metrics');
  const counts = [...body.matchAll(/^vault_injection_workloads\{[^}]*\} (\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Watches are renewed after minutes: what that makes per minute follows from how long each asked to be. */
async function measureIdle(auditLog: string): Promise<Figures['idle']> {
  const from = Date.now();
  await sleep(IDLE_SECONDS * 1000);
  const { counts, watches } = requestsBetween(auditLog, from, Date.now());
  const perMinute = [...counts].map(([kind, count]) => [kind, (count * 60) / IDLE_SECONDS] as const);
  const renewals = [...watches.values()].reduce((sum, length) => sum + 60 / length, 0);
  const all = [...perMinute, [`renewals of ${watches.size} watches`, renewals] as const];
  return all.sort((a, b) => b[1] - a[1]);
}

/**
 * Changes the role of policies, one after the other, and watches the effect: by dry runs of a new workload, and at the
 * status.
 */
async function measureChanges(cluster: ScaleCluster): Promise<Pick<Figures, 'inForceMs' | 'inStatusMs'>> {
  progress(`${CHANGES} policies change`);
  const { api, shape } = cluster;
  const inForceMs: number[] = [];
  const pending: Promise<number>[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const policy = change % shape.policies;
    const role = `role-${change}`;
    const started = performance.now();
    const changed = { spec: { vault: { auth: { role } } } };
    const { metadata } = await api.patch<PolicyObject>(cluster.policyPath(policy), changed);
    const probe = cluster.workload(policy, 'probe');
    for (;;) {
      const made = await api.create(`${deploymentsOf(cluster.namespaceOf(policy))}?dryRun=All`, probe);
      if (JSON.stringify(made).includes(`\\"${role}\\"`)) break;
    }
    inForceMs.push(performance.now() - started);
    pending.push(toStatus(cluster, policy, metadata.generation, started));
  }
  return { inForceMs, inStatusMs: await Promise.all(pending) };
}

/** Until the status speaks of this generation and counts the workloads as outdated. */
async function toStatus(cluster: ScaleCluster, policy: number, generation: number, started: number): Promise<number> {
  await eventually(
    `the status of policy-${policy} to tell of its change`,
    async () => {
      const { status } = await cluster.api.get<PolicyObject>(cluster.policyPath(policy));
      const { outdated = 0, injected = 0 } = status?.workloads ?? {};
      if ((status?.observedGeneration ?? 0) >= generation && outdated > 0 && injected === 0) return true;
      await sleep(STATUS_LOOK_MS);
      return undefined;
    },
    60_000,
  );
  return performance.now() - started;
}

/** New namespaces with a policy each, at a steady pace: how often the webhook configuration is written meanwhile. */
async function measureArrivals(
  cluster: ScaleCluster,
  auditLog: string,
): Promise<Pick<Figures, 'writesPerSecond' | 'arrivalsPerSecond'>> {
  progress(`${ARRIVALS} namespaces with policies arrive, ${ARRIVALS_PER_SECOND} each second`);
  const from = Date.now();
  for (let index = 0; index < ARRIVALS; index++) {
    await sleep(Math.max(0, from + (index * 1000) / ARRIVALS_PER_SECOND - Date.now()));
    await cluster.makeNamespace(`arrival-${index}`);
    await cluster.makePolicy(`arrival-${index}`, 'policy', {});
  }
  const to = Date.now();
  const { counts } = requestsBetween(auditLog, from, to);
  const writes = [...counts].filter(([kind]) => /^(patch|update) mutatingwebhookconfigurations$/.test(kind));
  const seconds = (to - from) / 1000;
  const count = writes.reduce((sum, [, many]) => sum + many, 0);
  return { writesPerSecond: count / seconds, arrivalsPerSecond: ARRIVALS / seconds };
}

/** On cores that it shares with servers, a block may last much longer than the operator's thread runs meanwhile. */
function blocked({ wallMs, cpuMs }: Blocked): string {
  return `${fixed(wallMs, 0)} ms (${fixed(cpuMs, 0)} ms)`;
}

function report(all: readonly Figures[]): string {
  const row = (name: string, aim: string, of: (figures: Figures) => string): string[] => [name, ...all.map(of), aim];
  const heads = all.map(({ shape, workloadBytes }) => {
    const { workloads, policies, namespaces } = shape;
    return `${workloads} workloads of ${fixed(workloadBytes / 1024)} KiB, ${policies} policies, ${namespaces} namespaces`;
  });
  const idleOf = ({ idle }: Figures): number => idle.reduce((sum, [, count]) => sum + count, 0);
  const kinds = all.map(({ idle }) => idle.map(([kind, count]) => `${kind} ${fixed(count, 0)}`).join(', '));
  return `${table([
    ['', ...heads, 'aim'],
    row('start to ready', '10 s', ({ readyMs }) => `${seconds(readyMs)} s`),
    row('start to all workloads known', '–', ({ inventoryMs }) => `${seconds(inventoryMs)} s`),
    row('start to all statuses written', '–', ({ statusMs }) => `${seconds(statusMs)} s`),
    row('memory (RSS), idle', '450 MiB', ({ idleMiB }) => `${fixed(idleMiB, 0)} MiB`),
    row('memory (RSS), peak of all', '450 MiB', ({ memory }) => `${fixed(memory.peakMiB, 0)} MiB`),
    row('connections to the API server, at most', '20', ({ connections }) => String(connections)),
    row('longest block of the event loop, until it is ready (of its thread on a core)', '–', ({ blockedToReady }) =>
      blocked(blockedToReady),
    ),
    row('longest block of the event loop, until all statuses are written (on a core)', '50 ms', ({ blockedAtStart }) =>
      blocked(blockedAtStart),
    ),
    row('longest block of the event loop, later (on a core)', '50 ms', ({ blockedLater }) => blocked(blockedLater)),
    row('API requests per minute, idle', '60', (figures) => fixed(idleOf(figures), 0)),
    row('policy changed to rule in force, p50 / p99', '1 s', ({ inForceMs }) => percentiles(inForceMs)),
    row('policy changed to status, p50 / p99', '15 s', ({ inStatusMs }) => percentiles(inStatusMs)),
    row(
      'configuration writes per second, namespaces arriving',
      '1',
      ({ writesPerSecond, arrivalsPerSecond }) => `${fixed(writesPerSecond, 2)} (${fixed(arrivalsPerSecond)}/s arrive)`,
    ),
    row('creation of a pod under a policy with target Pod, p50 / p99 (pods per minute)', '–', ({ pods }) => {
      return `${percentiles(pods.createMs)} (${fixed(pods.podsPerMinute, 0)})`;
    }),
    row(
      'writes of that policy’s status meanwhile (pods counted of those created)',
      '3',
      ({ pods }) => `${pods.writes} (${pods.counted} of ${pods.createMs.length})`,
    ),
  ])}\n\nRequests per minute, idle: ${kinds.join('; ')}. Changes: ${CHANGES}, one after the other; p99 is nearest-rank. A block is measured by a timer of 10 ms, which is subtracted.\n`;
}

const seconds = (ms: number): string => fixed(ms / 1000, 2);

function percentiles(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
  return `${seconds(median(ms))} / ${seconds(p99)} s`;
}
