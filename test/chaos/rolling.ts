/**
 * Replicas are rolled, killed and overloaded while workloads are updated through the API server under failurePolicy
 * Fail: whatever the API server cannot have reviewed is refused, so each lost review is a failed update.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';

import type { Resource } from '../../core/object.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { LIMITS } from '../../webhook/server.ts';
import { Cluster, WRAPPER } from '../integration/cluster.ts';
import type { Live } from '../integration/cluster.ts';
import { deployment, policy } from '../integration/manifests.ts';
import { eventually } from '../support/operator.ts';
import type { Death, Replica, ReplicaSet, ReplicaSetOptions } from './replica-set.ts';
import { startReplicas } from './replica-set.ts';
import { postponedBy } from './frozen.ts';
import { webhookPath } from '../support/webhook-path.ts';

export interface SceneOptions extends Omit<ReplicaSetOptions, 'count' | 'proxied'> {
  /** Updates per second that are tried, by all clients together. */
  readonly rate: number;
  /** Clients with connections of their own; default 4. */
  readonly clients?: number;
}

type Load = Pick<SceneOptions, 'plane' | 'rate' | 'clients'>;

/** Two replicas, a policy with failurePolicy Fail, and Deployments to update. */
export interface Scene extends SceneOptions {
  readonly set: ReplicaSet;
  close(): Promise<void>;
}

export interface Failure {
  /** Date.now() when the update was sent, and when it failed. */
  readonly sentAt: number;
  readonly failedAt: number;
  readonly message: string;
  /**
   * InFlight: it was under way while a killed replica died, and its connection broke. Lag: it came after that, before
   * the balancer knew. Other: anything else.
   */
  readonly cause: 'InFlight' | 'Lag' | 'Other';
  /** From each death of a replica until it was sent, in milliseconds: what there is to know of one that should not be. */
  readonly msAfterDeaths: readonly number[];
}

export interface LoadResult {
  readonly act: string;
  readonly seconds: number;
  readonly updates: number;
  /** Milliseconds of an update. */
  readonly p50: number;
  readonly p99: number;
  readonly slowest: number;
  /** Replicas that were ended meanwhile. */
  readonly ended: number;
  /** Reviews that a replica answered 503, so that the API server repeated them. */
  readonly postponed: number;
  readonly failures: readonly Failure[];
  /** Updates after which the workload was stored without its injection. */
  readonly bare: number;
}

export const NAMESPACE = 'busy';
/** It has no policy, so API servers call nobody for it. */
const FREE_NAMESPACE = 'free';
// Each has its own Deployment, so that updates never conflict. More than the rate asks for: those that wait for a
// repeated review must not slow the others down.
const WORKERS_PER_CLIENT = 12;
// From a change of readiness until the balancer is told, beside its lag.
const NOTICED_MS = 1_000;
// TLS handshakes at a time: 512 at once would time out on a busy machine.
const BATCH = 16;
const AGAIN_MS = 100;
const READY_MS = 120_000;

/** Starts two replicas and creates what is updated. */
export async function prepareScene(options: SceneOptions): Promise<Scene> {
  const set = await startReplicas({ ...options, count: 2 });
  try {
    const cluster = new Cluster(options.plane);
    if ((await options.plane.kubectl(['get', 'namespace', NAMESPACE])).code !== 0) {
      await cluster.namespace(NAMESPACE);
      await cluster.policy(policy(NAMESPACE, 'strict'));
      await createDeployments(cluster, NAMESPACE, options);
    }
    // replicas that have been here before had another address
    await eventually(`API servers to be told ${set.balancer.url}`, async () => {
      const configuration = await cluster.kubectl('get', 'mutatingwebhookconfiguration', '-o', 'json');
      return configuration.includes(`${set.balancer.url}/mutate/`) && configuration.includes('/fail"')
        ? true
        : undefined;
    });
    await sleep(NOTICED_MS);
    await cluster.policyIs(NAMESPACE, 'strict', 'Ready', 'True');
  } catch (error) {
    await set.close();
    throw error;
  }
  return { ...options, set, close: () => set.close() };
}

/** The same updates without a webhook: what API server, etcd and clients reach on this machine at most. */
export async function loadAlone(options: Load, seconds: number): Promise<LoadResult> {
  const cluster = new Cluster(options.plane);
  await cluster.namespace(FREE_NAMESPACE);
  await createDeployments(cluster, FREE_NAMESPACE, options);
  const [over, begun] = [new AbortController(), Date.now()];
  const load = updateUntil(over.signal, FREE_NAMESPACE, options);
  await sleep(seconds * 1000);
  over.abort();
  const updates = await load;
  const failures = updates.failures.map((one) => ({ ...one, cause: 'Other' as const, msAfterDeaths: [] }));
  return { ...figuresOf('nothing, no webhook', begun, updates), ended: 0, postponed: 0, failures, bare: 0 };
}

/** Nothing happens: what the machine reaches with the webhook. */
export function leaveAlone(scene: Scene, seconds: number): Promise<LoadResult> {
  return underLoad(scene, 'nothing', seconds, () => Promise.resolve([]));
}

interface Rolls {
  readonly rolls: number;
  readonly seconds: number;
  /** What is rolled, for the table. */
  readonly what?: string;
  /** Under the load, before the first replica is replaced: what else belongs to an upgrade. */
  readonly first?: () => Promise<void>;
}

/**
 * Rolls all replicas, so many times: each is replaced by one that is ready before it gets its SIGTERM (maxSurge 1), and
 * drains while the next is replaced.
 */
export function roll(scene: Scene, { rolls, seconds, what = '', first }: Rolls): Promise<LoadResult> {
  const { set, drain = '0s', lagMs = 0 } = scene;
  const act = `${what}${rolls} × rolled, --drain ${drain}, endpoints ${lagMs / 1000} s late`;
  return underLoad(scene, act, seconds, async (end, begun) => {
    await first?.();
    const drains: Promise<void>[] = [];
    for (let turn = 0; turn < rolls; turn += 1) {
      await sleep(Math.max(0, begun + (turn * seconds * 1000) / rolls - Date.now()));
      const olds = set.replicas.slice(-2);
      for (const old of olds) {
        await set.startUnseen();
        drains.push(end(old, () => set.terminate(old)));
      }
    }
    await Promise.all(drains);
    // until the balancer has followed
    await sleep(lagMs + NOTICED_MS);
    return [];
  });
}

/** Kills one replica after another, the older one each time, and starts it again. */
export function kill(scene: Scene, { kills, everyMs }: { kills: number; everyMs: number }): Promise<LoadResult> {
  const { set, lagMs = 0, onRefused = 'skip' } = scene;
  const act = `${kills} × killed, endpoints ${lagMs / 1000} s late, a refused connection is ${onRefused === 'skip' ? 'tried elsewhere' : 'reset'}`;
  return underLoad(scene, act, (kills * everyMs) / 1000, async (end) => {
    const deaths: Death[] = [];
    for (let turn = 0; turn < kills; turn += 1) {
      const since = Date.now();
      await sleep(everyMs / 2);
      const [victim] = set.replicas;
      if (victim === undefined) throw new Error('two replicas run');
      await end(victim, async () => {
        deaths.push(await set.kill(victim));
      });
      await set.start();
      await sleep(Math.max(0, since + everyMs - Date.now()));
    }
    return deaths;
  });
}

/** Occupies all places of one replica for reviews that are being received, so that it answers 503. */
export async function overload(scene: Scene, seconds: number): Promise<LoadResult> {
  const [replica] = scene.set.replicas;
  if (replica === undefined) throw new Error('two replicas run');
  const over = new AbortController();
  try {
    const path = await webhookPath(scene.plane, 'fail');
    // before the load, because the balancer of the test needs the same processor
    for (let from = 0; from < LIMITS.inFlight; from += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, LIMITS.inFlight - from) }, (_, at) => from + at);
      await Promise.all(
        batch.map((index) => unfinishedReview(replica, { path, localAddress: addressAt(index), signal: over.signal })),
      );
    }
    return await underLoad(scene, 'one of two overloaded', seconds, () => Promise.resolve([]));
  } finally {
    over.abort();
  }
}

/** Of one address the server would give up others for the API server: each has an address of its own on loopback. */
function addressAt(index: number): string {
  return `127.1.${Math.floor(index / 250)}.${(index % 250) + 1}`;
}

/**
 * Keeps a connection through which a review has been announced whose body never comes, and opens it again when the server
 * gives it up, until `signal` aborts. Resolves when the first one is there.
 */
function unfinishedReview(
  { operator }: Replica,
  { path, localAddress, signal }: { path: string; localAddress: string; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const open = (): void => {
      const options = { port: operator.webhookPort, host: '127.0.0.1', localAddress, rejectUnauthorized: false };
      const socket = connect(options as ConnectionOptions, () => {
        const head = [`POST ${path} HTTP/1.1`, 'Host: localhost', 'Content-Type: application/json'];
        socket.write([...head, 'Content-Length: 8000', '', '{'].join('\r\n'), () => resolve());
      });
      const end = (): void => void socket.destroy();
      signal.addEventListener('abort', end, { once: true });
      // rejecting changes nothing once the first one is there
      socket.on('error', reject);
      socket.resume().once('close', () => {
        signal.removeEventListener('abort', end);
        if (!signal.aborted) setTimeout(open, AGAIN_MS);
      });
    };
    open();
  });
}

/** Ends a replica by `act`, and counts it and what it postponed before. */
type End = (replica: Replica, act: () => Promise<void>) => Promise<void>;

/** Updates workloads for so many seconds, and until `disturb` is over, which resolves with the kills. */
async function underLoad(
  scene: Scene,
  act: string,
  seconds: number,
  disturb: (end: End, begun: number) => Promise<readonly Death[]>,
): Promise<LoadResult> {
  const { set } = scene;
  await eventually('two replicas to run', () => (set.replicas.length === 2 ? true : undefined), READY_MS);
  let ended = 0;
  // what each has answered 503 when it was last asked, which for one that ends is just before
  const postponed = new Map<Replica, number>();
  const note = (): Promise<unknown> =>
    Promise.all(
      set.replicas.map(async (replica) => {
        const count = await postponedBy(replica);
        postponed.set(replica, Math.max(postponed.get(replica) ?? 0, count));
      }),
    );
  const total = (): number => [...postponed.values()].reduce((sum, count) => sum + count, 0);
  const end: End = async (replica, how) => {
    ended += 1;
    await how();
    postponed.set(replica, postponed.get(replica) ?? 0);
  };
  await note();
  const before = total();
  const over = new AbortController();
  const begun = Date.now();
  const load = updateUntil(over.signal, NAMESPACE, scene);
  const watch = noteUntil(over.signal, note);
  let deaths: readonly Death[] = [];
  let updates: Updates;
  try {
    [deaths] = await Promise.all([disturb(end, begun), sleep(seconds * 1000)]);
  } finally {
    over.abort();
    updates = await load;
    await watch;
  }
  const figures = figuresOf(act, begun, updates);
  await note();
  const failures = updates.failures.map((one) => ({
    ...one,
    cause: causeOf(one, deaths, scene.lagMs ?? 0),
    msAfterDeaths: deaths.map(({ goneAt }) => one.sentAt - goneAt),
  }));
  return { ...figures, ended, postponed: total() - before, failures, bare: updates.bare };
}

function figuresOf(
  act: string,
  begun: number,
  { times }: Updates,
): Pick<LoadResult, 'act' | 'seconds' | 'updates' | 'p50' | 'p99' | 'slowest'> {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
  const seconds = (Date.now() - begun) / 1000;
  return { act, seconds, updates: times.length, p50: at(0.5), p99: at(0.99), slowest: at(1) };
}

async function noteUntil(signal: AbortSignal, note: () => Promise<unknown>): Promise<void> {
  while (!signal.aborted) {
    await note();
    await sleep(200);
  }
}

interface Updates {
  readonly failures: Omit<Failure, 'cause' | 'msAfterDeaths'>[];
  readonly times: number[];
  bare: number;
}

/** Updates at the wanted rate, or as fast as answers come; each worker one Deployment. */
async function updateUntil(signal: AbortSignal, namespace: string, load: Load): Promise<Updates> {
  const updates: Updates = { failures: [], times: [], bare: 0 };
  const { rate, clients = 4, plane } = load;
  const resource: Resource = { group: 'apps', version: 'v1', plural: 'deployments', namespace };
  const kubeConfigs = Array.from({ length: clients }, () => loadKubeConfig({ file: plane.kubeconfig, context: '' }));
  const begun = performance.now();
  let next = 0;
  const work = async (client: ApiClient, name: string): Promise<void> => {
    for (;;) {
      const due = begun + (next++ * 1000) / rate;
      if (due > performance.now()) await sleep(due - performance.now());
      if (signal.aborted) return;
      await update(client, resource, name, `${Math.round(due)}`, updates);
    }
  };
  const workers = kubeConfigs.flatMap((kubeConfig, index) => {
    const client = new ApiClient({ kubeConfig, userAgent: `rolling-${index}/1` });
    return Array.from({ length: WORKERS_PER_CLIENT }, (_, worker) =>
      work(client, nameOf(index * WORKERS_PER_CLIENT + worker)),
    );
  });
  await Promise.all(workers);
  await Promise.all(kubeConfigs.map((kubeConfig) => kubeConfig.close()));
  return updates;
}

async function update(
  client: ApiClient,
  resource: Resource,
  name: string,
  value: string,
  updates: Updates,
): Promise<void> {
  const [sentAt, begun] = [Date.now(), performance.now()];
  try {
    const changes = { metadata: { annotations: { 'example.com/turn': value } } };
    const stored = (await client.patch(resource, name, changes, { fieldManager: 'rolling' })) as unknown as Live;
    if (stored.spec.template.spec.containers[0]?.command?.[0] !== WRAPPER) updates.bare += 1;
  } catch (error) {
    updates.failures.push({ sentAt, failedAt: Date.now(), message: (error as Error).message });
  }
  updates.times.push(performance.now() - begun);
}

function causeOf(
  { sentAt, failedAt, message }: Omit<Failure, 'cause' | 'msAfterDeaths'>,
  deaths: readonly Death[],
  lagMs: number,
): Failure['cause'] {
  // in the words of Go's net package
  const broken = /\bEOF\b|connection reset|broken pipe|use of closed network connection|closed idle connection/.test(
    message,
  );
  if (broken && deaths.some(({ killedAt, goneAt }) => sentAt <= goneAt && failedAt >= killedAt)) return 'InFlight';
  if (broken && deaths.some(({ goneAt }) => sentAt >= goneAt && sentAt <= goneAt + lagMs + NOTICED_MS)) return 'Lag';
  return 'Other';
}

export async function createDeployments(cluster: Cluster, namespace: string, load: Load): Promise<void> {
  const items = Array.from({ length: workersOf(load) }, (_, index) => deployment(namespace, nameOf(index)));
  await cluster.apply({ apiVersion: 'v1', kind: 'List', items });
}

const workersOf = ({ clients = 4 }: Load): number => clients * WORKERS_PER_CLIENT;
const nameOf = (index: number): string => `app-${index}`;

/** Returns a table of the results, for people. */
export function loadTable(results: readonly LoadResult[]): string {
  return [
    '| act | s | updates | per s | p50, p99, slowest ms | replicas ended | answered 503 | failed: in flight at a kill, before the balancer knew, other | bare |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...results.map((one) => {
      const failed = (cause: Failure['cause']): number => one.failures.filter((each) => each.cause === cause).length;
      const times = `${one.p50}, ${one.p99}, ${one.slowest}`;
      const failures = `${failed('InFlight')}, ${failed('Lag')}, ${failed('Other')}`;
      return `| ${one.act} | ${one.seconds.toFixed(0)} | ${one.updates} | ${(one.updates / one.seconds).toFixed(0)} | ${times} | ${one.ended} | ${one.postponed} | ${failures} | ${one.bare} |`;
    }),
  ].join('\n');
}
