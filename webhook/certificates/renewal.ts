import { isValid, renewalTime } from './inspect.ts';
import type { Validity } from './inspect.ts';
import { LEAF_LIFE_MS } from './leaf.ts';

/**
 * How one certificate authority replaces another without a moment in which a client trusts one but is shown the other:
 *
 *   Stage    a next authority is written down; the published bundle holds the current one and the next one
 *   (wait)   until every API server has the bundle, and every replica the next authority
 *   Promote  the next one becomes the current one and signs what is served; the bundle still holds the previous one
 *   (wait)   until no replica serves a certificate of the previous one any more
 *   Retire   the previous one leaves the bundle
 *
 * Each step is derived from what is stored, what is published and what replicas say that they serve, never from what
 * this process did before: after a crash at any point, or in another replica, the result is the same. The leader alone
 * carries the steps out.
 */
export interface RenewalState {
  /** The authority that signs; undefined if there is none, or it is damaged. */
  readonly current: Validity | undefined;
  readonly next: Validity | undefined;
  readonly previous: Validity | undefined;
  /** When `current` became current, in milliseconds since the epoch; undefined if unknown. */
  readonly promotedAt: number | undefined;
  /** Whether every API server trusts `next`, and every replica has it: see isSettled() of the keeper. */
  readonly isNextSettled: boolean;
  /** Whether some replica still needs `previous` in the bundle; undefined: nobody knows what replicas serve. */
  readonly isPreviousNeeded: boolean | undefined;
  /** Whether somebody has asked for a new authority. */
  readonly isRenewalAsked: boolean;
}

export type RenewalStep =
  /** Nothing is due. */
  | 'Rest'
  /** There is no authority that could sign: create one at once, without stages. */
  | 'Create'
  | 'Stage'
  | 'Promote'
  | 'Retire';

/** Returns the one step that is due now. */
export function planRenewal(state: RenewalState, now: number): RenewalStep {
  const { current, next, previous, isRenewalAsked } = state;
  // Without a valid current authority there is no trust to lose, and the published bundle may already include the next
  // one.
  if (current === undefined || !isValid(current, now)) {
    return next !== undefined && isValid(next, now) ? 'Promote' : 'Create';
  }
  if (previous !== undefined) return isOver(state, previous, now) ? 'Retire' : 'Rest';
  if (next === undefined) return isRenewalAsked || now >= renewalTime(current) ? 'Stage' : 'Rest';
  // staged so long ago, without being published, that it is due for renewal itself
  if (now >= renewalTime(next)) return 'Stage';
  return state.isNextSettled ? 'Promote' : 'Rest';
}

/**
 * While replicas can say what they serve, the previous authority stays as long as one of them needs it. Else it stays
 * until the leaves that it signed have expired.
 */
function isOver({ isPreviousNeeded, promotedAt }: RenewalState, previous: Validity, now: number): boolean {
  if (now >= previous.notAfter) return true;
  if (isPreviousNeeded !== undefined) return !isPreviousNeeded;
  return promotedAt !== undefined && now >= promotedAt + LEAF_LIFE_MS;
}
