/** How long builds take on this machine: the seconds of the table, corrected by the builds that have been seen. */

// The first tools weigh no more than this much of the table, in seconds: a small one says little about the machine.
const TRUST = 60;

export class Pace {
  #expected = TRUST;
  #taken = TRUST;

  /** Takes note of a build: what the table says of it, and what it took, in seconds. */
  saw(expected: number, taken: number): void {
    this.#expected += expected;
    this.#taken += taken;
  }

  /** How many seconds something takes here that takes `expected` by the table. */
  of(expected: number): number {
    return Math.round((expected * this.#taken) / this.#expected);
  }
}

/** What is said of a build that goes on; all in seconds. */
export function progress(elapsed: number, expected: number): string {
  return elapsed <= expected
    ? `${elapsed} s of about ${expected} s`
    : `${elapsed} s, expected about ${expected} s: it takes longer on this machine`;
}

/** A duration for people: whole minutes, or seconds below two minutes. */
export function inMinutes(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.ceil(seconds / 60)} minutes`;
}
