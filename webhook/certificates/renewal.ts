import { LEAF_LIFE_MS } from './leaf.ts';
import { renewalTime } from './inspect.ts';
import type { Validity } from './inspect.ts';

/**
 * How one certificate authority replaces another without a moment in which a client trusts one but is shown the other:
 *
 *   Stage    a next authority is written down; the published bundle holds the current one and the next one
 *   (wait)   until every API server has the bundle
 *   Promote  the next one becomes the current one and signs what is served; the bundle still holds the previous one
 *   (wait)   until no certificate of the previous one can be valid any more
 *   Retire   the previous one leaves the bundle
 *
 * Each step is derived from what is stored and what is published, never from what this process did before: after a
 * crash at any point, or in another replica, the result is the same.
 */
export interface RenewalState {
  /** The authority that signs; undefined if there is none, or it is damaged. */
  readonly current: Validity | undefined;
  readonly next: Validity | undefined;
  readonly previous: Validity | undefined;
  /** When `current` became current; undefined if unknown. */
  readonly promotedAt: number | undefined;
  /** Since when the cluster's configuration has been seen to include `next`; undefined while it does not. */
  readonly nextPublishedSince: number | undefined;
}

export type RenewalStep =
  /** Nothing is due. */
  | 'Rest'
  /** There is no authority that could sign: create one at once, without stages. */
  | 'Create'
  | 'Stage'
  | 'Promote'
  | 'Retire';

/**
 * Counted from when this process sees the configuration with the new bundle. Each API server watches it too and usually
 * follows within a second; a minute allows for one whose watch broke and is in backoff (30 s).
 */
export const PUBLISH_WAIT_MS = 60_000;

/** Returns the one step that is due now. */
export function planRenewal(state: RenewalState, now: number): RenewalStep {
  const { current, next, previous } = state;
  const isNextUsable = next !== undefined && next.notBefore <= now && now < next.notAfter;
  // Without a valid current authority there is no trust to lose, and the published bundle may already include the next
  // one. One from the future was issued by a clock that has been set back since.
  if (current === undefined || now >= current.notAfter || now < current.notBefore) {
    return isNextUsable ? 'Promote' : 'Create';
  }
  if (previous !== undefined) return isOver(previous, state.promotedAt, now) ? 'Retire' : 'Rest';
  if (next === undefined) return now >= renewalTime(current) ? 'Stage' : 'Rest';
  // staged so long ago, without being published, that it is due for renewal itself
  if (now >= renewalTime(next)) return 'Stage';
  const { nextPublishedSince } = state;
  return nextPublishedSince !== undefined && now - nextPublishedSince >= PUBLISH_WAIT_MS ? 'Promote' : 'Rest';
}

/** Leaves of the previous authority expire after their own lifetime or with their authority, whichever is sooner. */
function isOver(previous: Validity, promotedAt: number | undefined, now: number): boolean {
  return now >= previous.notAfter || (promotedAt !== undefined && now >= promotedAt + LEAF_LIFE_MS);
}
