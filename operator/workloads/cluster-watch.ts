import { rowOf, watchedKinds } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { Clock } from '../../kube/clock.ts';
import type { InformerObserver } from '../../kube/informer.ts';
import { Informer } from '../../kube/informer.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Store } from '../../kube/object-store.ts';
import type { WatchAges } from '../../kube/watch-ages.ts';
import { KindWatch } from './kind-watch.ts';
import type { KindProblem } from './kind-watch.ts';

export interface ClusterWatchOptions {
  readonly kinds: Kinds;
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog | undefined;
  readonly watchAges?: Pick<WatchAges, 'began'> | undefined;
  readonly observer?: InformerObserver;
  /** Approximate milliseconds between two lists. */
  readonly relistMs?: number;
  /** Returns where the workloads of a kind go. */
  readonly storeOf: (kind: WorkloadKind) => Store<KubernetesObject>;
  /** As in InformerOptions. */
  readonly whenReady: () => Promise<unknown> | undefined;
  /**
   * Called when all workloads have been listed of those kinds that are always watched, and then again for each other kind:
   * when all of it has been listed, or cannot be.
   */
  readonly onSynced: () => void;
  /** Called whenever problemOf() returns something else for a kind. */
  readonly onProblem: () => void;
}

const RELIST_MS = 3_600_000;
/** Workloads in one page of a list: it is parsed in one go, and workloads of 13 KiB then take about 5 ms. */
export const PAGE = 50;

/**
 * Brings all workloads of the cluster, whole, by one list and one watch of each kind: of those that are always watched
 * from the start, of the others while somebody wants them. It keeps none of them.
 */
export class ClusterWatch {
  readonly #always: ReadonlyMap<WorkloadKind, Informer>;
  readonly #others: ReadonlyMap<WorkloadKind, KindWatch>;

  constructor(options: ClusterWatchOptions) {
    const { kinds, relistMs = RELIST_MS, storeOf, onProblem } = options;
    const { client, clock, random, logger, outages, watchAges, observer, whenReady } = options;
    const onSynced = (): void => {
      if (this.synced) options.onSynced();
    };
    const optionsOf = (kind: WorkloadKind) => ({
      ...{ client, clock, random, logger, outages, watchAges, relistMs, whenReady, onSynced },
      ...(observer !== undefined && { observer }),
      resource: rowOf(kind, kinds).resource,
      pageSize: PAGE,
      store: storeOf(kind),
    });
    const [always, others] = [true, false].map((isAlways) =>
      watchedKinds(kinds).filter((kind) => (rowOf(kind, kinds).watched === 'Always') === isAlways),
    );
    // the store notes what changes
    const informerOf = (kind: WorkloadKind): Informer =>
      new Informer({ ...optionsOf(kind), onChange: () => undefined });
    this.#always = new Map((always ?? []).map((kind) => [kind, informerOf(kind)]));
    this.#others = new Map((others ?? []).map((kind) => [kind, new KindWatch({ ...optionsOf(kind), onProblem })]));
  }

  /** Whether all workloads are known of those kinds that are always watched. */
  get synced(): boolean {
    return [...this.#always.values()].every(({ synced }) => synced);
  }

  /** Whether all workloads of a kind are known, or cannot be. False for one that is not watched. */
  isSynced(kind: WorkloadKind): boolean {
    return (this.#always.get(kind) ?? this.#others.get(kind))?.synced === true;
  }

  /** Those of which something may be known. */
  get watched(): readonly WorkloadKind[] {
    const others = [...this.#others].filter(([, { isWanted, problem }]) => isWanted && problem === undefined);
    return [...this.#always.keys(), ...others.map(([kind]) => kind)];
  }

  /** Those that are watched only while they are wanted. */
  get optional(): readonly WorkloadKind[] {
    return [...this.#others.keys()];
  }

  isWanted(kind: WorkloadKind): boolean {
    return this.#always.has(kind) || this.#others.get(kind)?.isWanted === true;
  }

  /** Begins or ends the watch of an optional kind. */
  want(kind: WorkloadKind, isWanted: boolean): void {
    this.#others.get(kind)?.want(isWanted);
  }

  /** Returns why nothing is known of a kind; undefined: something is, or nobody wants to know. */
  problemOf(kind: WorkloadKind): KindProblem | undefined {
    return this.#others.get(kind)?.problem;
  }

  /**
   * When the API server last confirmed what has been brought of every kind, by Clock.elapsed(); undefined: not yet.
   * Optional kinds count once they have been listed.
   */
  get lastSeen(): number | undefined {
    const seen = [...this.#always.values()].map(({ lastSeen }) => lastSeen);
    if (seen.includes(undefined)) return undefined;
    const others = [...this.#others.values()].flatMap(({ lastSeen }) => lastSeen ?? []);
    return Math.min(...(seen as number[]), ...others);
  }

  start(): void {
    for (const informer of this.#always.values()) informer.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#always.values(), ...this.#others.values()].map((watch) => watch.stop()));
  }
}
