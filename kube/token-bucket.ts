import type { Clock } from './clock.ts';

export interface TokenBucketOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  /** The most tokens that it holds; it starts full. */
  readonly burst: number;
  /** Milliseconds until one token is added. */
  readonly everyMs: number;
}

/** A rate limit: a burst passes at once, the rest at a steady pace. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  /** Up to when refills are counted: Clock.elapsed(), in whole steps since the first. */
  #refilledAt: number;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#refilledAt = options.clock.elapsed();
  }

  /** Milliseconds until take() returns true; 0 if it would now. */
  get waitMs(): number {
    this.#refill();
    const { clock, everyMs } = this.#options;
    return this.#tokens > 0 ? 0 : this.#refilledAt + everyMs - clock.elapsed();
  }

  /** Takes a token; returns false if there is none. */
  take(): boolean {
    this.#refill();
    if (this.#tokens === 0) return false;
    this.#tokens -= 1;
    return true;
  }

  #refill(): void {
    const { clock, burst, everyMs } = this.#options;
    const fresh = Math.floor((clock.elapsed() - this.#refilledAt) / everyMs);
    this.#tokens = Math.min(burst, this.#tokens + fresh);
    this.#refilledAt += fresh * everyMs;
  }
}
