import { setImmediate } from 'node:timers/promises';

import type { Clock } from '../../kube/clock.ts';

export interface SlicesOptions {
  /** Brings one key up to date, at once. Must not throw. */
  readonly work: (key: string) => void;
  readonly clock: Pick<Clock, 'now'>;
  /** Lets everything else that waits have its turn (default: the event loop's). */
  readonly turn?: () => Promise<unknown>;
}

// A review takes well below a millisecond; this is by how much the inventory may make one wait.
const SLICE_MS = 4;

/**
 * A queue of keys whose work is all computation, done in short slices between which the process does everything else:
 * however many workloads have to be judged, admission answers meanwhile.
 */
export class Slices {
  readonly #options: SlicesOptions;
  readonly #keys = new Set<string>();
  #isGoing = false;

  constructor(options: SlicesOptions) {
    this.#options = options;
  }

  get depth(): number {
    return this.#keys.size;
  }

  /** Wants `key` worked on; false: it waited for that already. */
  add(key: string): boolean {
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    if (!this.#isGoing) void this.#run();
    return true;
  }

  /** False: it did not wait. */
  remove(key: string): boolean {
    return this.#keys.delete(key);
  }

  async #run(): Promise<void> {
    const { turn = setImmediate } = this.#options;
    this.#isGoing = true;
    while (this.#keys.size > 0) {
      await turn();
      this.#slice();
    }
    this.#isGoing = false;
  }

  #slice(): void {
    const { work, clock } = this.#options;
    const end = clock.now() + SLICE_MS;
    for (const key of this.#keys) {
      this.#keys.delete(key);
      work(key);
      if (clock.now() >= end) return;
    }
  }
}
