/**
 * Work that runs until it is stopped, and can be started again: it never runs twice at the same time. `run` must not
 * reject, and must end soon after its signal has aborted.
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

  /** Starts as soon as a previous run has ended; does nothing if it is started. */
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

/**
 * Whether a signal has not aborted. A function, because the compiler assumes that a signal that has not aborted never
 * will.
 */
export function isGoing(signal: AbortSignal): boolean {
  return !signal.aborted;
}
