/**
 * Work that goes on until it is stopped, and may be started again: it never runs twice at the same time. `run` must not
 * reject; it ends soon after its signal has aborted.
 */
export class Restartable {
  readonly #run: (signal: AbortSignal) => Promise<void>;
  #running: AbortController | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(run: (signal: AbortSignal) => Promise<void>) {
    this.#run = run;
  }

  /** Between start() and stop(). */
  get isStarted(): boolean {
    return this.#running !== undefined;
  }

  /** Begins as soon as what was stopped before has ended; does nothing where it is started. */
  start(): void {
    if (this.#running !== undefined) return;
    const { signal } = (this.#running = new AbortController());
    this.#done = this.#done.then(() => this.#run(signal));
  }

  /** Resolves when nothing runs any more. */
  stop(): Promise<void> {
    this.#running?.abort();
    this.#running = undefined;
    return this.#done;
  }
}

/** Whether a signal still lets work go on. A function, as the compiler takes one that was not aborted for one that never will be. */
export function isGoing(signal: AbortSignal): boolean {
  return !signal.aborted;
}
