import { rowOf } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { compareVersions } from '../../core/resource-version.ts';
import { partsOfWorkloadKey, workloadKey } from '../../core/workload/workload.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { TokenBucket } from '../../kube/token-bucket.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import { PAGE } from './cluster-watch.ts';
import type { RuledNamespace } from './ruled-namespace.ts';

export interface RefetchOptions {
  readonly client: Pick<ObjectClient, 'get' | 'list'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly namespaces: ReadonlyMap<string, RuledNamespace>;
  readonly kinds: Kinds;
  /** Returns the kinds that are watched. */
  readonly watched: () => readonly WorkloadKind[];
  /** Whether the watch has brought all workloads of the kind once. */
  readonly isSynced: (kind: WorkloadKind) => boolean;
  /** As in InformerOptions. */
  readonly whenReady: () => Promise<unknown> | undefined;
  /** Called with each workload, whole, that was fetched. */
  readonly arrived: (object: KubernetesObject) => void;
  /** Called with one that the API server has no more. */
  readonly gone: (namespace: string, key: string) => void;
  /** Called when something about this namespace was fetched. */
  readonly onDone: (namespace: string) => void;
}

// Requests at a time, and how many: 50 per second are few for an API server, and judge the workloads of 5,000
// namespaces again in about two minutes.
const AT_ONCE = 2;
const BURST = 50;
const EVERY_MS = 20;
// More workloads of one namespace than this are listed rather than got one by one.
const MOST_SINGLE = 4;
// How soon a fetch is repeated that brought an older state than the watch: an API server whose cache lags.
const AGAIN_MS = 1_000;

/**
 * Fetches workloads again whose templates have to be judged again: one, or all of a namespace. What is asked for several
 * times is fetched once, and failures are retried until it is there.
 */
export class Refetch {
  readonly #options: RefetchOptions;
  readonly #bucket: TokenBucket;
  /** Namespaces to list, and keys of workloads to get. */
  readonly #queue: WorkQueue;

  constructor(options: RefetchOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket({ clock: options.clock, burst: BURST, everyMs: EVERY_MS });
    this.#queue = new WorkQueue({ ...options, process: (key) => this.#fetch(key), concurrency: AT_ONCE });
  }

  /** All workloads of the namespace have to be judged by its current rules. */
  all(namespace: string, ruled: RuledNamespace): void {
    ruled.rules += 1;
    for (const key of ruled.wanted) this.#queue.forget(key);
    ruled.wanted.clear();
    this.#queue.add(namespace);
  }

  /** One workload has to be judged by what is known now. */
  one(key: string, ruled: RuledNamespace): void {
    ruled.wanted.add(key);
    if (ruled.wanted.size > MOST_SINGLE) this.all(partsOfWorkloadKey(key).namespace, ruled);
    else this.#queue.add(key);
  }

  /** Does not fetch this workload, or this namespace, any more. */
  forget(key: string): void {
    this.#queue.forget(key);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  /** Rejects with ApiError: the queue then tries again. */
  async #fetch(key: string): Promise<void> {
    const isWorkload = key.includes('/');
    const namespace = isWorkload ? partsOfWorkloadKey(key).namespace : key;
    const ruled = this.#options.namespaces.get(namespace);
    if (ruled === undefined) return;
    await (isWorkload ? this.#getOne(key, ruled) : this.#listAll(namespace, ruled));
    if (this.#isStill(namespace, ruled)) this.#options.onDone(namespace);
  }

  async #getOne(key: string, ruled: RuledNamespace): Promise<void> {
    const { client, kinds, arrived, gone } = this.#options;
    if (!ruled.wanted.has(key)) return;
    const { kind, namespace, name } = partsOfWorkloadKey(key);
    await this.#turn();
    const object = await client.get({ ...rowOf(kind, kinds).resource, namespace }, name);
    if (!this.#isStill(namespace, ruled) || !ruled.wanted.has(key)) return;
    if (object === undefined) gone(namespace, key);
    else arrived(object);
    if (ruled.wanted.has(key)) this.#queue.addAfter(key, AGAIN_MS);
  }

  async #listAll(namespace: string, ruled: RuledNamespace): Promise<void> {
    const { rules } = ruled;
    if (ruled.covered === rules) return;
    for (const kind of this.#options.watched()) {
      // those of a kind of which none is known are judged by these rules when they come
      const isKnown = ruled.isKnown && this.#options.isSynced(kind);
      if (isKnown && !ruled.has(kind)) continue;
      const listed = new Set<string>();
      const version = await this.#list(kind, namespace, (object) => {
        if (!this.#isStill(namespace, ruled)) return;
        listed.add(workloadKey({ kind, metadata: { namespace, name: object.metadata.name } }));
        this.#options.arrived(object);
      });
      if (!this.#isStill(namespace, ruled)) return;
      this.#compare(kind, ruled, { rules, listed, version });
    }
    ruled.covered = Math.max(ruled.covered, rules);
  }

  /** Resolves with the version of the list, which all its pages have. */
  async #list(
    kind: WorkloadKind,
    namespace: string,
    take: (object: KubernetesObject) => void,
  ): Promise<string | undefined> {
    const resource = { ...rowOf(kind, this.#options.kinds).resource, namespace };
    let version: string | undefined;
    let next: string | undefined;
    do {
      await this.#turn();
      const paging = next === undefined ? {} : { continue: next };
      const { items, metadata } = await this.#options.client.list(resource, { limit: PAGE, ...paging });
      items.forEach(take);
      ({ resourceVersion: version, continue: next } = metadata);
    } while (next !== undefined && next !== '');
    return version;
  }

  /** Looks after those of a kind that a whole list has not brought, or not in the state that is known. */
  #compare(
    kind: WorkloadKind,
    ruled: RuledNamespace,
    list: { readonly rules: number; readonly listed: ReadonlySet<string>; readonly version: string | undefined },
  ): void {
    for (const [key, entry] of [...ruled.entries]) {
      const { metadata } = entry.workload;
      if (entry.workload.kind !== kind || ruled.isUpToDate(key, entry, list.rules)) continue;
      const isOlderThanList = (compareVersions(metadata.resourceVersion, list.version) ?? 0) <= 0;
      if (!list.listed.has(key) && isOlderThanList) this.#options.gone(metadata.namespace, key);
      else this.one(key, ruled);
    }
  }

  /** Waits until what came before has been judged, and for the rate. */
  async #turn(): Promise<void> {
    await this.#options.whenReady();
    while (!this.#bucket.take()) await this.#options.clock.sleep(this.#bucket.waitMs);
  }

  /** Whether the namespace has had rules all the time. */
  #isStill(namespace: string, ruled: RuledNamespace): boolean {
    return this.#options.namespaces.get(namespace) === ruled;
  }
}
