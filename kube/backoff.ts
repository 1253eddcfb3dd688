/** How long to wait before trying again: exponential, jittered, without a last attempt. */

export interface BackoffLimits {
  /** Milliseconds before the first retry, at most. */
  readonly initialMs: number;
  /** No wait is longer, however many attempts have failed. */
  readonly maxMs: number;
}

// Half a second to half a minute: client-go's reflector waits between 0.8 s and 30 s.
export const API_SERVER_BACKOFF: BackoffLimits = { initialMs: 500, maxMs: 30_000 };

/**
 * Milliseconds to wait after the `failures`-th failure in a row (from 1): between half of the doubled step and the whole
 * of it, so that many clients that lost the same server do not come back in the same instant.
 */
export function backoffDelay(failures: number, limits: BackoffLimits, random: () => number): number {
  const step = Math.min(limits.maxMs, limits.initialMs * 2 ** (failures - 1));
  return Math.round(step / 2 + (step / 2) * random());
}

/** Counts failures in a row. */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #failures = 0;

  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Counts one more failure; gives the milliseconds to wait. */
  next(): number {
    this.#failures += 1;
    return backoffDelay(this.#failures, this.#limits, this.#random);
  }

  /** Something worked. */
  reset(): void {
    this.#failures = 0;
  }
}
