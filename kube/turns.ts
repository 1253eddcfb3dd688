import type { Clock } from './clock.ts';

export interface TurnsOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  /** How many come at once after a rest. */
  readonly burst: number;
  /** Milliseconds between two turns after that. */
  readonly everyMs: number;
}

/**
 * A rate limit for many that wait: each gets a time of its own, in the order in which they asked first, so that nobody
 * has to ask again and again.
 */
export class Turns {
  readonly #options: TurnsOptions;
  /** By key: when its turn is, by Clock.elapsed(). */
  readonly #waiting = new Map<string, number>();
  /** When the next turn is that nobody has got yet. */
  #next = -Infinity;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Returns 0 if it is the turn of `key`, which is over then; else the milliseconds after which to ask again. */
  waitFor(key: string): number {
    const { clock, burst, everyMs } = this.#options;
    const now = clock.elapsed();
    const at = this.#waiting.get(key) ?? Math.max(this.#next, now - (burst - 1) * everyMs);
    if (!this.#waiting.has(key)) this.#next = at + everyMs;
    if (at <= now) {
      this.#waiting.delete(key);
      return 0;
    }
    this.#waiting.set(key, at);
    return at - now;
  }

  /** Gives up the turn of `key`. */
  forget(key: string): void {
    this.#waiting.delete(key);
  }
}
