/** What happens in a soak: everything that can be done to the operator and its API server, again and again. */
import { setTimeout as sleep } from 'node:timers/promises';

import { mark } from '../../core/marks.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';
import type { ApiClient } from '../../kube/api-client.ts';
import { describeError } from '../../kube/errors.ts';
import { SECRET_NAME } from '../../webhook/certificates/secret.ts';
import type { Api } from '../bench/api.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';
import { Random } from '../support/random.ts';
import { MINUTE } from './soak-pace.ts';
import type { Range, SoakOptions } from './soak-pace.ts';
import type { SoakRecord } from './soak-record.ts';
import type { SoakReplicas } from './soak-replicas.ts';
import { Tenant } from './soak-tenant.ts';

const SYSTEM = 'vault-injection-system';
const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', namespace: SYSTEM };
const LOOK_MS = 1_000;
const API_SERVER_MS = 10 * MINUTE;
const MOST_TOLD = 3;

export interface StoryOptions extends SoakOptions {
  readonly plane: ControlPlane;
  readonly client: ApiClient;
  readonly api: Api;
  readonly set: SoakReplicas;
  readonly record: SoakRecord;
}

/** What happens, and whether everything is right after it. */
export class Story {
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
      this.#each([MINUTE, MINUTE], () => {
        this.#tellProgress();
        onMinute();
        return Promise.resolve();
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
    // true when it has slept to the end
    const pause = (): Promise<boolean> => sleep(this.#between([from, to]), true, { signal }).catch(() => false);
    while (await pause()) {
      await work().catch((error: unknown) => this.#options.record.violated(describeError(error)));
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
      // on a machine that has too much to do, it needs longer than tests wait for it
      const isThere = async (): Promise<true | undefined> =>
        (await plane.kubectl(['get', '--raw', '/readyz'])).code === 0 ? true : undefined;
      await plane.startApiServer().catch(() => eventually('the API server to be ready again', isThere, API_SERVER_MS));
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

  /** Always the last one: the others live as long as the soak, and show whether something grows. */
  async #restartReplica(): Promise<void> {
    const { set, replicas, record } = this.#options;
    const signal = this.#random.pick<NodeJS.Signals>(['SIGTERM', 'SIGTERM', 'SIGKILL']);
    await record.disturb(`replica ${replicas}: ${signal}, and a new one`, () => set.restart(replicas - 1, signal));
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
