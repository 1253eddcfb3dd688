import { setImmediate } from 'node:timers/promises';

import type { Clock } from './clock.ts';

export interface SlicesOptions {
  /** Processes one key synchronously. Must not throw. */
  readonly work: (key: string) => void;
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Lets everything else that waits run (default: one turn of the event loop). */
  readonly turn?: () => Promise<unknown>;
}

/**
 * For how many milliseconds computation may hold up everything else that waits. A review takes well below one, and this is
 * how long it may be delayed.
 */
export const SLICE_MS = 4;

/**
 * A queue of keys whose work is pure computation, done in short slices so that the process can do everything else in
 * between: admission answers however many objects have to be looked at.
 */
export class Slices {
  readonly #options: SlicesOptions;
  readonly #keys = new Set<string>();
  #isGoing = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: SlicesOptions) {
    this.#options = options;
  }

  get depth(): number {
    return this.#keys.size;
  }

  /** Queues `key`; returns false if it was already waiting. */
  add(key: string): boolean {
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    if (!this.#isGoing) void this.#run();
    return true;
  }

  /** Returns false if it was not waiting. */
  remove(key: string): boolean {
    return this.#keys.delete(key);
  }

  /** Resolves when no key waits. */
  whenIdle(): Promise<void> {
    if (!this.#isGoing) return Promise.resolve();
    this.#idle ??= Promise.withResolvers();
    return this.#idle.promise;
  }

  async #run(): Promise<void> {
    const { turn = setImmediate } = this.#options;
    this.#isGoing = true;
    while (this.#keys.size > 0) {
      await turn();
      this.#slice();
    }
    this.#isGoing = false;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #slice(): void {
    const { work, clock } = this.#options;
    const end = clock.elapsed() + SLICE_MS;
    for (const key of this.#keys) {
      this.#keys.delete(key);
      work(key);
      if (clock.elapsed() >= end) return;
    }
  }
}
