import type { ServingPair } from './inspect.ts';
import { isServable, leafRenewalTime } from './leaf.ts';

export interface PairChoice {
  /** What there is: first what is served now. */
  readonly candidates: readonly ServingPair[];
  /** PEM of the authority that signs. */
  readonly current: string;
  /** Whether every API server trusts it. */
  readonly isSettled: boolean;
  /** PEM of the authorities that API servers have trusted for longer. */
  readonly trusted: string;
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** See leafRenewalTime(). */
  readonly jitter: number;
}

/**
 * Returns which pair to serve: one of the current authority as soon as every API server trusts that, until then one that
 * they trust already. Undefined: one of the current authority has to be issued.
 */
export function choosePair({ candidates, isSettled, ...choice }: PairChoice): ServingPair | undefined {
  const { current, trusted, names, now, jitter } = choice;
  const good = candidates.find((pair) => isServable(pair, current, names, now) && now < leafRenewalTime(pair, jitter));
  if (isSettled) return good;
  return candidates.find((pair) => isServable(pair, trusted, names, now)) ?? good;
}
