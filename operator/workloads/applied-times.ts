import type { Clock } from '../../kube/clock.ts';
import { keyOf } from '../../core/object.ts';
import type { Judgement } from './inventory.ts';
import type { Tracked } from '../../core/workload/plan.ts';
import { parseRequest } from '../../core/workload/request.ts';

/** When a policy was last applied to a workload: by an admission that this process saw, or by an effective request. */
export class AppliedTimes {
  readonly #clock: Pick<Clock, 'now'>;
  /** Milliseconds since the epoch, by `namespace/name` of the policy. */
  readonly #seen = new Map<string, number>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  judged({ workload, standing, before, isNew }: Judgement): void {
    if (standing?.state !== 'Injected') return;
    // a workload that was injected before this process looked has an unknown time
    const isFresh = isNew || (before !== undefined && before.state !== 'Injected');
    const { namespace } = workload.metadata;
    if (isFresh) this.#seen.set(keyOf({ namespace, name: standing.policy.name }), this.#clock.now());
  }

  /** Returns milliseconds since the epoch, whole seconds; undefined if unknown. */
  newest(policyKey: string, own: readonly Tracked[]): number | undefined {
    const requests = own
      .filter(({ standing }) => standing.state === 'Injected')
      .map(({ workload }) => parseRequest(workload.annotations)?.time ?? 0);
    const newest = requests.reduce((a, b) => Math.max(a, b), this.#seen.get(policyKey) ?? 0);
    return newest === 0 ? undefined : Math.floor(newest / 1000) * 1000;
  }

  forget(policyKey: string): void {
    this.#seen.delete(policyKey);
  }
}
