import { KINDS, WATCHED_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { Clock } from '../../kube/clock.ts';
import type { InformerObserver } from '../../kube/informer.ts';
import { Informer } from '../../kube/informer.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Store } from '../../kube/object-store.ts';
import type { WatchAges } from '../../kube/watch-ages.ts';

export interface ClusterWatchOptions {
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
  /** Called once, when all workloads of the cluster have been listed. */
  readonly onSynced: () => void;
}

const RELIST_MS = 3_600_000;
/** Workloads in one page of a list: it is parsed in one go, and workloads of 13 KiB then take about 5 ms. */
export const PAGE = 50;

/** Brings all workloads of the cluster, whole, by one list and one watch of each kind. It keeps none of them. */
export class ClusterWatch {
  readonly #informers: readonly Informer[];

  constructor(options: ClusterWatchOptions) {
    const {
      client,
      clock,
      random,
      logger,
      outages,
      watchAges,
      observer,
      relistMs = RELIST_MS,
      storeOf,
      whenReady,
      onSynced,
    } = options;
    this.#informers = WATCHED_KINDS.map(
      (kind) =>
        new Informer({
          client,
          resource: KINDS[kind].resource,
          clock,
          random,
          logger,
          outages,
          watchAges,
          relistMs,
          pageSize: PAGE,
          store: storeOf(kind),
          whenReady,
          ...(observer === undefined ? {} : { observer }),
          onChange: () => undefined, // the store has noted it
          onSynced: () => {
            if (this.synced) onSynced();
          },
        }),
    );
  }

  get synced(): boolean {
    return this.#informers.every(({ synced }) => synced);
  }

  /** When the API server last confirmed what has been brought of every kind, by Clock.elapsed(); undefined: not yet. */
  get lastSeen(): number | undefined {
    const seen = this.#informers.map(({ lastSeen }) => lastSeen);
    return seen.includes(undefined) ? undefined : Math.min(...(seen as number[]));
  }

  start(): void {
    for (const informer of this.#informers) informer.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.stop()));
  }
}
