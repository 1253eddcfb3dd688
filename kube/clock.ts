/** Time, as a constructor argument: tests pass one that they move by hand. */
export interface Clock {
  /**
   * Returns milliseconds since the epoch, like Date.now(): for what is written down or compared with what others have
   * written. It jumps when somebody sets the machine's clock.
   */
  now(): number;
  /** Returns milliseconds since some moment before, like performance.now(): for durations. It never goes back. */
  elapsed(): number;
  /** Resolves after `ms` milliseconds, or as soon as `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Resolves with `done`, or with undefined after `ms` milliseconds; rejects if `done` rejects before. It leaves no timer
 * that would keep the process alive.
 */
export async function atMost<T>(clock: Clock, ms: number, done: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  try {
    return await Promise.race([done, clock.sleep(ms, over.signal).then(() => undefined)]);
  } finally {
    over.abort();
  }
}

/** Resolves or rejects with `promise`, or rejects with what `reason` returns as soon as `signal` aborts. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, reason: () => Error): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(reason());
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

// setTimeout takes a signed 32-bit number of milliseconds; a longer one fires at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
      signal?.addEventListener('abort', done, { once: true });
    }),
};
