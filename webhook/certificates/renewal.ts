import { LEAF_LIFE_MS } from './leaf.ts';
import { renewalTime } from './inspect.ts';
import type { Validity } from './inspect.ts';

/**
 * How one certificate authority follows another without a moment in which a client trusts the one and is shown the
 * other:
 *
 *   Stage    a next authority is written down; the published bundle holds the current one and the next one
 *   (wait)   until every API server has the bundle
 *   Promote  the next one becomes the current one and signs what is served; the bundle still holds the previous one
 *   (wait)   until no certificate of the previous one can be valid any more
 *   Retire   the previous one leaves the bundle
 *
 * Each step is derived from what is written down and from what is published, never from what this process did before:
 * after a crash at any point, or in another replica, the same question gets the same answer.
 */
export interface RenewalState {
  /** The authority that signs; undefined where there is none, or none that is whole. */
  readonly current: Validity | undefined;
  readonly next: Validity | undefined;
  readonly previous: Validity | undefined;
  /** When `current` became that; undefined where nobody knows. */
  readonly promotedAt: number | undefined;
  /** Since when the cluster's configuration has been seen to hold `next`; undefined while it does not. */
  readonly nextPublishedSince: number | undefined;
}

export type RenewalStep =
  /** Nothing is due. */
  | 'Rest'
  /** There is no authority that could sign: make one at once, without stages. */
  | 'Create'
  | 'Stage'
  | 'Promote'
  | 'Retire';

/**
 * From the moment that this process sees the configuration with the new bundle. Each API server follows it by a watch
 * of its own, within a second as a rule; a minute allows for one whose watch broke and waits out its backoff (30 s).
 */
export const PUBLISH_WAIT_MS = 60_000;

/** The one step that is due now. */
export function planRenewal(state: RenewalState, now: number): RenewalStep {
  const { current, next, previous } = state;
  const isNextUsable = next !== undefined && next.notBefore <= now && now < next.notAfter;
  // Without a valid current one nothing is trusted that could be lost, and the published bundle may hold the next one
  // already. One of the future was made by a clock that was set back since.
  if (current === undefined || now >= current.notAfter || now < current.notBefore) {
    return isNextUsable ? 'Promote' : 'Create';
  }
  if (previous !== undefined) return isOver(previous, state.promotedAt, now) ? 'Retire' : 'Rest';
  if (next === undefined) return now >= renewalTime(current) ? 'Stage' : 'Rest';
  // staged so long ago, without ever being published, that it is old itself
  if (now >= renewalTime(next)) return 'Stage';
  const { nextPublishedSince } = state;
  return nextPublishedSince !== undefined && now - nextPublishedSince >= PUBLISH_WAIT_MS ? 'Promote' : 'Rest';
}

/** Leaves of the previous authority end with their own life or with their authority, whichever is sooner. */
function isOver(previous: Validity, promotedAt: number | undefined, now: number): boolean {
  return now >= previous.notAfter || (promotedAt !== undefined && now >= promotedAt + LEAF_LIFE_MS);
}
