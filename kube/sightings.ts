/**
 * How long nothing may be heard of anybody before what was not heard is no longer held against anybody: one and a half
 * times the ten seconds in which this process's own Lease changes.
 */
const DEAF_MS = 15_000;

interface Sighting {
  readonly version: string | undefined;
  /** By Clock.elapsed(). */
  readonly at: number;
}

/**
 * Judges by changes of their objects which processes are alive, as a leader election does: no clocks are compared; what
 * counts is for how long this process has seen an object unchanged. Time in which this process heard nothing at all
 * (the API server was down, or the watch was dead) does not count: it then knows nothing about the others.
 *
 * All times are milliseconds by Clock.elapsed().
 */
export class Sightings {
  readonly #seen = new Map<string, Sighting>();
  #heardAt: number | undefined;

  /** Notes that `key` has this version now. */
  saw(key: string, version: string | undefined, now: number): void {
    this.#hear(now);
    const before = this.#seen.get(key);
    if (before === undefined || before.version !== version) this.#seen.set(key, { version, at: now });
  }

  /** Notes that the object is gone. */
  lost(key: string, now: number): void {
    this.#hear(now);
    this.#seen.delete(key);
  }

  /** Returns for how long `key` has been silent while others were heard; undefined if it does not exist. */
  silentMs(key: string): number | undefined {
    const sighting = this.#seen.get(key);
    return sighting === undefined || this.#heardAt === undefined ? undefined : this.#heardAt - sighting.at;
  }

  #hear(now: number): void {
    if (this.#heardAt !== undefined && now - this.#heardAt > DEAF_MS) {
      for (const [key, { version }] of this.#seen) this.#seen.set(key, { version, at: now });
    }
    this.#heardAt = now;
  }
}
