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
  /** Whether its rollout is complete, and then whether its pods are available. */
  readonly health: Sighting<Health>;
  /** The longest time since the request that its pods were available, before the present one. */
  readonly steadyBeforeMs: number;
}

type Health = 'Moving' | 'Steady' | 'Broken';

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
    const requestTime = parseRequest(annotations)?.time;
    const request = this.#sighting(before?.request, requested, requestTime);
    const isSameRequest = before?.request === request;
    // seen first after a restart, it has been so since its rollout completed, or at the longest since the request
    const since = before === undefined ? (rollout.completedAt ?? requestTime) : undefined;
    const health = this.#sighting(isSameRequest ? before.health : undefined, healthOf(rollout), since);
    const now = this.#clock.elapsed();
    const seen: Seen = {
      request,
      template: this.#sighting(before?.template, writtenAt, writtenAt),
      progress: this.#sighting(before?.progress, rollout.progress, undefined),
      health,
      steadyBeforeMs: isSameRequest ? Math.max(before.steadyBeforeMs, steadyMs(before.health, health.at)) : 0,
    };
    this.#seen.set(key, seen);
    return {
      requestMs: now - request.at,
      templateMs: now - seen.template.at,
      quietMs: now - seen.progress.at,
      steadyMs: Math.max(seen.steadyBeforeMs, steadyMs(health, now)),
      brokenMs: health.seen === 'Broken' ? now - health.at : 0,
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

function healthOf({ phase, available }: Workload['rollout']): Health {
  if (phase !== 'Complete') return 'Moving';
  return available ? 'Steady' : 'Broken';
}

/** How long it was steady until then. */
function steadyMs({ seen, at }: Sighting<Health>, until: number): number {
  return seen === 'Steady' ? Math.max(0, until - at) : 0;
}
