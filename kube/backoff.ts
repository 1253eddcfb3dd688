/** How long to wait before a retry: exponential, with jitter, without a last attempt. */

export interface BackoffLimits {
  /** Milliseconds before the first retry at most. */
  readonly initialMs: number;
  /** The longest wait in milliseconds, however many attempts have failed. */
  readonly maxMs: number;
}

// Half a second to half a minute: client-go's reflector waits between 0.8 s and 30 s.
export const API_SERVER_BACKOFF: BackoffLimits = { initialMs: 500, maxMs: 30_000 };

/**
 * Returns the milliseconds to wait after the `failures`-th failure in a row (from 1): between half of the doubled step
 * and all of it, so that many clients that lost the same server do not come back at the same moment.
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

  /** Counts one more failure; returns the milliseconds to wait. */
  next(): number {
    this.#failures += 1;
    return backoffDelay(this.#failures, this.#limits, this.#random);
  }

  /** Call it after a success. */
  reset(): void {
    this.#failures = 0;
  }
}
