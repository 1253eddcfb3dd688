import type { Clock } from '../../kube/clock.ts';
import type { InformerObserver } from '../../kube/informer.ts';
import { Informer } from '../../kube/informer.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import { KINDS, WORKLOAD_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { Workload } from '../../core/workload/workload.ts';
import { workloadOf } from '../../core/workload/workload.ts';

export interface NamespaceWatchOptions {
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly observer?: InformerObserver;
  /** Approximate milliseconds between two lists. */
  readonly relistMs?: number;
  /** Called with the current state of each workload; undefined: it is gone. */
  readonly onChange: (kind: WorkloadKind, name: string, workload: Workload | undefined) => void;
  /** Called once, after onChange has been called for all workloads. */
  readonly onSynced: () => void;
}

// Ten times as long as usual: a hundred namespaces have two hundred watches, and admission does not use this copy.
const WATCH_SECONDS = 600;
const RELIST_MS = 3_600_000;
// One page is parsed in one go: 100 workloads take a few milliseconds.
const PAGE = 100;

/** All workloads of one namespace, reduced as they arrive. */
export class NamespaceWatch {
  readonly #informers: readonly Informer<Workload>[];

  constructor(options: NamespaceWatchOptions) {
    this.#informers = WORKLOAD_KINDS.map((kind) => this.#informer(kind, options));
  }

  get synced(): boolean {
    return this.#informers.every(({ synced }) => synced);
  }

  start(): void {
    for (const informer of this.#informers) informer.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.stop()));
  }

  #informer(kind: WorkloadKind, options: NamespaceWatchOptions): Informer<Workload> {
    const { client, namespace, clock, random, logger, observer, relistMs = RELIST_MS, onChange, onSynced } = options;
    return new Informer<Workload>({
      client,
      resource: { ...KINDS[kind].resource, namespace },
      clock,
      random,
      logger,
      relistMs,
      watchSeconds: WATCH_SECONDS,
      pageSize: PAGE,
      keep: workloadOf,
      ...(observer === undefined ? {} : { observer }),
      onChange: (_, object, previous) => {
        const name = (object ?? previous)?.metadata.name;
        if (name !== undefined) onChange(kind, name, object);
      },
      onSynced: () => {
        if (this.synced) onSynced();
      },
    });
  }
}
