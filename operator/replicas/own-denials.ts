import { partsOfKey } from '../../core/object.ts';
import { shownText } from '../../core/shown.ts';
import type { Clock } from '../../kube/clock.ts';
import type { PublishedDenial } from './state.ts';

/** A workload that admission denied. */
export type DeniedWorkload = Pick<PublishedDenial, 'kind' | 'name' | 'reason' | 'message'>;

// The leader reads it within seconds, a new one within half a minute.
const KEPT_MS = 600_000;
const MOST = 50;
// A controller that retries the same says nothing new.
const SAME_EVERY_MS = 60_000;
// As the CRD allows, with room.
const LONGEST_MESSAGE = 1_000;
const LONGEST_NAME = 253;

interface Noted {
  readonly denial: PublishedDenial;
  /** By Clock.elapsed(). */
  readonly at: number;
}

/** What this replica's admission has denied: the newest of each policy, for ten minutes, of at most 50 policies. */
export class OwnDenials {
  readonly #clock: Clock;
  /** Key: policy; the oldest first. */
  readonly #noted = new Map<string, Noted>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Notes that a workload of this policy (`namespace/name`) was just denied. Returns whether that is news: the same
   * within a minute is not.
   */
  note(policyKey: string, denied: DeniedWorkload): boolean {
    const { kind, reason } = denied;
    const [name, message] = [shownText(denied.name, LONGEST_NAME), shownText(denied.message, LONGEST_MESSAGE)];
    const [at, time] = [this.#clock.elapsed(), new Date(this.#clock.now()).toISOString()];
    const denial = { policy: policyKey, time, kind, name, reason, message };
    const before = this.#noted.get(policyKey);
    if (before !== undefined && at - before.at < SAME_EVERY_MS && isSame(before.denial, denial)) return false;
    this.#noted.delete(policyKey);
    this.#noted.set(policyKey, { denial, at });
    if (this.#noted.size > MOST) this.#dropOne();
    return true;
  }

  /** Drops the oldest one of the namespace that has most. */
  #dropOne(): void {
    const byNamespace = new Map<string, string[]>();
    for (const key of this.#noted.keys()) {
      const { namespace } = partsOfKey(key);
      byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), key]);
    }
    const most = [...byNamespace.values()].reduce((a, b) => (b.length > a.length ? b : a), []);
    this.#noted.delete(most[0] ?? '');
  }

  /** Returns what to publish now. */
  list(): readonly PublishedDenial[] {
    const now = this.#clock.elapsed();
    for (const [policy, { at }] of this.#noted) if (now - at >= KEPT_MS) this.#noted.delete(policy);
    return [...this.#noted.values()].map(({ denial }) => denial);
  }
}

function isSame(a: DeniedWorkload, b: DeniedWorkload): boolean {
  return a.kind === b.kind && a.name === b.name && a.reason === b.reason && a.message === b.message;
}
