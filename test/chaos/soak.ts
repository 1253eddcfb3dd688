/**
 * Two replicas of the operator as it is shipped, on a real API server, while policies and workloads change all the time,
 * the API server restarts, watches are cut, certificates are renewed and the leader changes: nothing is stored without
 * its injection under Fail, nothing grows, and everything is right in the end.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { mark } from '../../core/marks.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { describeError } from '../../kube/errors.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { SECRET_NAME } from '../../webhook/certificates/keeper.ts';
import { Api } from '../bench/api.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { installPrerequisites } from '../support/operator.ts';
import { Random } from '../support/random.ts';
import { SoakRecord } from './soak-record.ts';
import type { Sample } from './soak-record.ts';
import { SoakReplicas } from './soak-replicas.ts';
import { Tenant } from './soak-tenant.ts';

/** Milliseconds, from and to. */
type Range = readonly [from: number, to: number];

/** How often what happens, from the end of the time before. */
export interface Pace {
  readonly apiServerEvery: Range;
  /** How long the API server is away. */
  readonly apiServerPause: Range;
  readonly cutEvery: Range;
  /** How long the leader is cut off from the API server, which is longer than its lease; now and then in place of a cut. */
  readonly isolation: Range;
  readonly renewEvery: Range;
  readonly restartEvery: Range;
  /** Between two changes in one namespace, at most. */
  readonly changeMs: number;
  readonly sampleMs: number;
  /** Value of --certificate-wait. */
  readonly certificateWait: string;
  /** After the last change: how long until everything has to be right. */
  readonly quietMs: number;
}

const MINUTE = 60_000;

export const LONG: Pace = {
  apiServerEvery: [2 * MINUTE, 5 * MINUTE],
  apiServerPause: [5_000, 40_000],
  cutEvery: [20_000, 90_000],
  isolation: [18_000, 25_000],
  renewEvery: [5 * MINUTE, 9 * MINUTE],
  restartEvery: [9 * MINUTE, 11 * MINUTE],
  changeMs: 2_000,
  sampleMs: 10_000,
  certificateWait: '10s',
  quietMs: MINUTE,
};

export const SHORT: Pace = {
  apiServerEvery: [8_000, 8_000],
  apiServerPause: [2_000, 3_000],
  cutEvery: [4_000, 6_000],
  isolation: [1_000, 2_000],
  renewEvery: [3_000, 3_000],
  restartEvery: [15_000, 15_000],
  changeMs: 400,
  sampleMs: 1_000,
  certificateWait: '1s',
  quietMs: MINUTE,
};

export interface SoakOptions {
  readonly minutes: number;
  readonly replicas: number;
  /** Half of them with failurePolicy Fail. */
  readonly namespaces: number;
  readonly seed: number;
  readonly pace: Pace;
  /** The folder in which `make build` made the bundle; undefined: the operator runs from its sources. */
  readonly dist?: string | undefined;
  /** Writes a line for people. */
  readonly tell: (line: string) => unknown;
}

export interface SoakResult {
  readonly record: SoakRecord;
  /** What was wrong after the quiet time. */
  readonly faults: readonly string[];
  /** Seconds of the quiet time after which all was right. */
  readonly rightAfter: number;
  /** Replicas that lived through the whole second half, and what they took then. */
  readonly halves: readonly Half[];
  readonly restarts: Readonly<Record<'apiServer' | 'replica' | 'cut' | 'isolation' | 'renewal', number>>;
  readonly leaderChanges: number;
  readonly seconds: number;
  /** Where samples and logs are. */
  readonly folder: string;
}

export interface Half {
  readonly replica: string;
  readonly samples: readonly Sample[];
}

const SYSTEM = 'vault-injection-system';
const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', namespace: SYSTEM };
const LEASES: Resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespace: SYSTEM };
const LEADER_LEASE = 'vault-injection-operator-leader';
const LOOK_MS = 1_000;
const MOST_TOLD = 3;

/** Plays the story; rejects only if it cannot be played. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const record = new SoakRecord(options.tell);
  const folder = mkdtempSync(join(tmpdir(), 'vault-injection-soak-'));
  mkdirSync(join(folder, 'logs'));
  record.tell(`samples and logs are in ${folder}`);
  const plane = await startControlPlane({ log: options.tell });
  const kubeConfig = loadKubeConfig({ file: plane.kubeconfig, context: '' });
  const client = new ApiClient({ kubeConfig, userAgent: 'soak/1', timeoutMs: 15_000 });
  const { pace, dist } = options;
  const replicas = new SoakReplicas({
    plane,
    record,
    dist,
    certificateWait: pace.certificateWait,
    logs: join(folder, 'logs'),
  });
  try {
    await installPrerequisites(plane);
    await replicas.start(options.replicas);
    const story = new Story({ ...options, plane, client, set: replicas, record, api: new Api(plane.kubeconfig) });
    await story.prepare();
    await story.run(() => writeSamples(folder, record));
    const { faults, rightAfter } = await story.quiet();
    const { seconds } = story;
    const leases = await client.get<LeaderLease>(LEASES, LEADER_LEASE);
    return {
      record,
      faults,
      rightAfter,
      halves: halvesOf(record.samples, story.halfTime),
      restarts: story.restarts,
      leaderChanges: leases?.spec.leaseTransitions ?? 0,
      seconds,
      folder,
    };
  } finally {
    writeSamples(folder, record);
    await replicas.stop();
    await kubeConfig.close();
    await plane.stop();
  }
}

interface LeaderLease extends KubernetesObject {
  readonly spec: { readonly leaseTransitions?: number };
}

interface StoryOptions extends SoakOptions {
  readonly plane: Awaited<ReturnType<typeof startControlPlane>>;
  readonly client: ApiClient;
  readonly api: Api;
  readonly set: SoakReplicas;
  readonly record: SoakRecord;
}

class Story {
  readonly restarts = { apiServer: 0, replica: 0, cut: 0, isolation: 0, renewal: 0 };
  seconds = 0;
  /** Seconds since the begin of the record. */
  halfTime = 0;
  readonly #options: StoryOptions;
  readonly #tenants: readonly Tenant[];
  readonly #random: Random;
  readonly #over = new AbortController();
  #begun = 0;
  #lastRenewal = '';

  constructor(options: StoryOptions) {
    this.#options = options;
    const { seed, namespaces, pace } = options;
    this.#random = new Random(seed);
    this.#tenants = Array.from({ length: namespaces }, (_, index) => {
      const failurePolicy = index % 2 === 0 ? 'Fail' : 'Ignore';
      const random = new Random(seed * 1000 + index);
      return new Tenant({ ...options, namespace: `t-${index}`, failurePolicy, random, paceMs: pace.changeMs });
    });
  }

  async prepare(): Promise<void> {
    for (const { namespace } of this.#tenants) await this.#options.plane.kubectlOk(['create', 'namespace', namespace]);
  }

  /** Lets everything happen for the given time. */
  async run(onMinute: () => void): Promise<void> {
    const { pace, minutes, record } = this.#options;
    this.#begun = Date.now();
    this.halfTime = record.seconds + minutes * 30;
    const { signal } = this.#over;
    const all = [
      ...this.#tenants.map((tenant) => tenant.churn(signal)),
      this.#each(pace.apiServerEvery, () => this.#restartApiServer()),
      this.#each(pace.cutEvery, () => this.#cut()),
      this.#each(pace.renewEvery, () => this.#renew()),
      this.#each(pace.restartEvery, () => this.#restartReplica()),
      this.#each([pace.sampleMs, pace.sampleMs], () => this.#look()),
      this.#each([MINUTE, MINUTE], async () => {
        this.#tellProgress();
        onMinute();
      }),
    ];
    const end = sleep(minutes * MINUTE, undefined, { signal }).catch(() => undefined);
    try {
      await Promise.race([end, Promise.all(all)]);
    } finally {
      this.#over.abort();
    }
    await Promise.all(all);
    this.seconds = (Date.now() - this.#begun) / 1000;
    record.tell('nothing happens any more');
  }

  /** Waits until everything is right, or the time is over. */
  async quiet(): Promise<{ faults: readonly string[]; rightAfter: number }> {
    const begun = Date.now();
    const since = (): number => Date.now() - begun;
    let told = '';
    for (;;) {
      const faults = await this.#faults();
      const text = faults.slice(0, MOST_TOLD).join('; ');
      if (text !== told && text !== '') this.#options.record.tell(`not right yet: ${faults.length}: ${text}`);
      told = text;
      if (faults.length === 0 || since() > this.#options.pace.quietMs) {
        for (const fault of faults) this.#options.record.violated(`in the end: ${fault}`);
        await this.#look();
        this.#tellProgress();
        return { faults, rightAfter: since() / 1000 };
      }
      await sleep(LOOK_MS);
    }
  }

  async #faults(): Promise<string[]> {
    const { set, client } = this.#options;
    const faults = await set.faults();
    const secret = await client.get<KubernetesObject>(SECRETS, SECRET_NAME);
    const renewed = secret?.metadata.annotations?.[mark.renewed] ?? '';
    if (renewed !== this.#lastRenewal) faults.push(`renewal ${this.#lastRenewal} is not honoured: ${renewed}`);
    for (const tenant of this.#tenants) faults.push(...(await tenant.faults()));
    return faults;
  }

  /** Does it again and again until the end, with pauses. */
  async #each([from, to]: Range, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await sleep(from + this.#random.next() * (to - from), undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await work().catch((error: unknown) => this.#options.record.violated(describeError(error)));
    }
  }

  #between([from, to]: Range): number {
    return from + this.#random.next() * (to - from);
  }

  async #restartApiServer(): Promise<void> {
    const { plane, record, pace } = this.#options;
    const pause = this.#between(pace.apiServerPause);
    const signal = this.#random.pick<NodeJS.Signals>(['SIGTERM', 'SIGKILL']);
    await record.disturb(`API server: ${signal}, back after ${(pause / 1000).toFixed(0)} s`, async () => {
      await plane.stopApiServer(signal);
      await sleep(pause);
      await plane.startApiServer();
    });
    this.restarts.apiServer += 1;
  }

  async #cut(): Promise<void> {
    const { record, set, replicas, pace } = this.#options;
    if (this.#random.chance(0.15)) {
      const ms = this.#between(pace.isolation);
      await record.disturb(`leader: cut off from the API server for ${(ms / 1000).toFixed(0)} s`, () =>
        set.isolateLeader(ms),
      );
      this.restarts.isolation += 1;
    } else {
      await record.disturb('watches: cut', () => set.cut(this.#random.upTo(replicas)));
      this.restarts.cut += 1;
    }
  }

  async #renew(): Promise<void> {
    const { client, record } = this.#options;
    const value = String(this.restarts.renewal + 1);
    const changes = { metadata: { annotations: { [mark.renew]: value } } };
    try {
      await client.patch(SECRETS, SECRET_NAME, changes, { fieldManager: 'soak' });
    } catch {
      return; // the API server is away: another time, with the same value
    }
    record.tell(`certificates: renewal ${value} asked for`);
    this.restarts.renewal += 1;
    this.#lastRenewal = value;
  }

  /** In the second half only the last one, so that the others show whether something grows. */
  async #restartReplica(): Promise<void> {
    const { set, replicas, record, minutes } = this.#options;
    const isSecondHalf = Date.now() - this.#begun > (minutes * MINUTE) / 2 - MINUTE;
    const last = replicas - 1;
    const index = isSecondHalf ? last : (last + this.restarts.replica) % replicas;
    const signal = this.#random.pick<NodeJS.Signals>(['SIGTERM', 'SIGTERM', 'SIGKILL']);
    await record.disturb(`replica ${index + 1}: ${signal}, and a new one`, () => set.restart(index, signal));
    this.restarts.replica += 1;
  }

  async #look(): Promise<void> {
    await this.#options.set.sample();
    const { client } = this.#options;
    const list = async (): Promise<ReadonlyMap<string, KubernetesObject>> => {
      const kinds = ['deployments', 'statefulsets'].map((plural) => ({ group: 'apps', version: 'v1', plural }));
      const lists = await Promise.all(kinds.map((kind) => client.list<KubernetesObject>(kind)));
      const all = lists.flatMap(({ items }) => items);
      return new Map(all.map((item) => [`${item.metadata.namespace ?? ''}/${item.metadata.name}`, item]));
    };
    // one list for all: each remembers what it guards before the list begins
    const once = list();
    await Promise.all(this.#tenants.map((tenant) => tenant.audit(() => once))).catch(() => undefined); // no API server
  }

  #tellProgress(): void {
    const { record } = this.#options;
    const { apiServer, replica, cut, isolation, renewal } = this.restarts;
    const last = record.samples
      .slice(-this.#options.replicas)
      .map(
        ({ replica: name, rssMiB, heapMiB, descriptors, connections }) =>
          `${name} ${rssMiB.toFixed(0)} MiB (heap ${heapMiB.toFixed(0)}), ${descriptors} fds, ${connections} conns`,
      );
    record.tell(
      `${((Date.now() - this.#begun) / MINUTE).toFixed(1)} min: ` +
        `${record.sum('policy:')} policy and ${record.sum('workload:')} workload changes ` +
        `(${record.sum('workload: not stored')} not stored), API server restarts ${apiServer}, replicas ${replica}, ` +
        `cuts ${cut}+${isolation}, renewals ${renewal}, violations ${record.violations.length}; ${last.join('; ')}`,
    );
  }
}

function halvesOf(samples: readonly Sample[], halfTime: number): Half[] {
  const later = samples.filter(({ at }) => at >= halfTime);
  const pids = new Map(later.map(({ pid, replica }) => [pid, replica]));
  const last = Math.max(...later.map(({ at }) => at));
  const ages = [...pids].map(([pid, replica]) => ({ replica, samples: later.filter((one) => one.pid === pid) }));
  const most = Math.max(...ages.map((one) => one.samples.length));
  return ages.filter((one) => one.samples.length >= most - 3 && (one.samples.at(-1)?.at ?? 0) > last - 5);
}

function writeSamples(folder: string, { samples, violations, counts, failures }: SoakRecord): void {
  const content = { samples, violations, counts: Object.fromEntries(counts), failures: Object.fromEntries(failures) };
  writeFileSync(join(folder, 'samples.json'), JSON.stringify(content));
}
