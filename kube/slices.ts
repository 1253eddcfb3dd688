import type { Clock } from './clock.ts';

export interface SlicesOptions {
  /** Processes one key synchronously. Must not throw. */
  readonly work: (key: string) => void;
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Lets everything else that waits run; default: ownTurn. */
  readonly turn?: () => Promise<unknown>;
}

/**
 * For how many milliseconds computation may hold up everything else that waits. A review takes well below one, and this is
 * how long it may be delayed.
 */
export const SLICE_MS = 4;

const waiting: (() => void)[] = [];

/**
 * Resolves in a turn of the event loop that no other caller gets. However many parts of the process have a lot to compute,
 * they run one after the other, and requests and responses are handled in between.
 */
export function ownTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(giveTurn);
  });
}

function giveTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(giveTurn);
}

/**
 * Splits a long loop, so that everything else has its turn after SLICE_MS: `if (slice.isOver) await slice.next()`.
 *
 * @param turn lets everything else that waits run
 */
export class Slice {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #turn: () => Promise<unknown>;
  #end: number;

  constructor(clock: Pick<Clock, 'elapsed'>, turn: () => Promise<unknown> = ownTurn) {
    this.#clock = clock;
    this.#turn = turn;
    this.#end = clock.elapsed() + SLICE_MS;
  }

  get isOver(): boolean {
    return this.#clock.elapsed() >= this.#end;
  }

  async next(): Promise<void> {
    await this.#turn();
    this.#end = this.#clock.elapsed() + SLICE_MS;
  }
}

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
    const { work, clock, turn } = this.#options;
    const slice = new Slice(clock, turn);
    this.#isGoing = true;
    while (this.#keys.size > 0) {
      await slice.next();
      for (const key of this.#keys) {
        this.#keys.delete(key);
        work(key);
        if (slice.isOver) break;
      }
    }
    this.#isGoing = false;
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
