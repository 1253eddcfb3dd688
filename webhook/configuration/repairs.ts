import type { Clock } from '../../kube/clock.ts';

// This many repairs per minute are made at once; more than that means that somebody else keeps reverting them, so the
// load on the API server is limited.
const PROMPT_REPAIRS = 5;
const PROMPT_WITHIN_MS = 60_000;
const SLOW_REPAIR_MS = 10_000;

/** Keeps two that repair against each other from loading the API server. */
export class Repairs {
  readonly #clock: Clock;
  /** When repairs began, by Clock.elapsed(). */
  #times: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of repairs within the last minute. */
  get recent(): number {
    return this.#times.length;
  }

  /** Notes a repair that begins now; or returns the milliseconds to wait before it may, and notes nothing. */
  note(): number {
    const now = this.#clock.elapsed();
    this.#times = this.#times.filter((time) => time > now - PROMPT_WITHIN_MS);
    const last = this.#times.at(-1);
    if (last !== undefined && this.#times.length >= PROMPT_REPAIRS && now < last + SLOW_REPAIR_MS) {
      return last + SLOW_REPAIR_MS - now;
    }
    this.#times.push(now);
    return 0;
  }
}
