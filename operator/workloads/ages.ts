import type { Clock } from '../../kube/clock.ts';
import type { Ages } from '../../core/workload/plan.ts';
import { parseRequest } from '../../core/workload/request.ts';
import type { Workload } from '../../core/workload/workload.ts';
import { annotation } from '../../core/injection/annotations.ts';

/** When something happened, by elapsed(); before the process started, it is less than zero. */
interface Sighting<T> {
  readonly seen: T;
  readonly at: number;
}

interface Seen {
  readonly request: Sighting<string | undefined>;
  readonly template: Sighting<number>;
  readonly progress: Sighting<string>;
}

/**
 * How long ago things happened to workloads. What is written in an object tells when it happened once, when this process
 * sees it first; from then on time is measured by a clock that nobody sets. So neither a clock that is set back nor one
 * that is set forward delays a request, or fails a rollout.
 */
export class WorkloadAges {
  readonly #clock: Pick<Clock, 'now' | 'elapsed'>;
  readonly #seen = new Map<string, Seen>();

  constructor(clock: Pick<Clock, 'now' | 'elapsed'>) {
    this.#clock = clock;
  }

  /** Notes the workload as it is now, and returns how old what it says is. */
  of(key: string, { annotations, writtenAt, rollout }: Workload): Ages {
    const before = this.#seen.get(key);
    const requested = annotations[annotation.requested];
    const seen: Seen = {
      request: this.#sighting(before?.request, requested, parseRequest(annotations)?.time),
      template: this.#sighting(before?.template, writtenAt, writtenAt),
      progress: this.#sighting(before?.progress, rollout.progress, undefined),
    };
    this.#seen.set(key, seen);
    const now = this.#clock.elapsed();
    return {
      requestMs: now - seen.request.at,
      templateMs: now - seen.template.at,
      quietMs: now - seen.progress.at,
    };
  }

  /** Forgets a workload that is gone. */
  forget(key: string): void {
    this.#seen.delete(key);
  }

  /** @param time when it happened, in milliseconds since the epoch; undefined: now */
  #sighting<T>(before: Sighting<T> | undefined, seen: T, time: number | undefined): Sighting<T> {
    if (before !== undefined && before.seen === seen) return before;
    const agoMs = time === undefined ? 0 : Math.max(0, this.#clock.now() - time);
    return { seen, at: this.#clock.elapsed() - agoMs };
  }
}
