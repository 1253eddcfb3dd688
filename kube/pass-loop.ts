import type { Clock } from './clock.ts';
import { API_SERVER_BACKOFF, Backoff } from './backoff.ts';
import { retryAfterOf } from './errors.ts';
import type { Logger } from './log.ts';
import { OutageLog } from './outage-log.ts';
import { isGoing, Restartable } from './restartable.ts';

export interface PassLoopOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Where failed passes are logged; default: a log of its own. */
  readonly outages?: OutageLog | undefined;
  /** What a pass does, for the log, such as "keeping the certificates". */
  readonly what: string;
  /**
   * Looks at everything and does what is due. Resolves with the milliseconds until its next call, if sooner than
   * `everyMs`.
   */
  readonly pass: () => Promise<number | undefined>;
  /** Milliseconds after which it is called without a wake(). */
  readonly everyMs: number;
  /** Minimum milliseconds between two passes: one pass handles a burst of wake() calls. */
  readonly gapMs: number;
}

/**
 * Level-based work: the pass does not learn what happened but looks for itself, so no event can be lost and two can be
 * handled as one. A failed pass is retried with backoff, forever.
 */
export class PassLoop {
  readonly #options: PassLoopOptions;
  readonly #backoff: Backoff;
  readonly #outages: OutageLog;
  #woken = false;
  #wake = new AbortController();
  readonly #work = new Restartable((signal) => this.#run(signal));

  constructor(options: PassLoopOptions) {
    this.#options = options;
    this.#backoff = new Backoff(API_SERVER_BACKOFF, options.random);
    this.#outages = options.outages ?? new OutageLog(options);
  }

  start(): void {
    this.#work.start();
  }

  /** Resolves when no pass is running any more. */
  stop(): Promise<void> {
    const stopped = this.#work.stop();
    this.#wake.abort();
    return stopped;
  }

  /** Asks for a pass that begins after this call. */
  wake(): void {
    this.#woken = true;
    this.#wake.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, gapMs, everyMs } = this.#options;
    while (isGoing(signal)) {
      this.#woken = false;
      const { waitMs, restMs } = await this.#attempt();
      await clock.sleep(Math.max(gapMs, restMs), signal);
      if (!isGoing(signal)) return;
      this.#wake = new AbortController();
      if (!this.#isWoken()) await clock.sleep(Math.min(waitMs ?? everyMs, everyMs), this.#wake.signal);
    }
  }

  // A method, because the compiler does not see that wake() is called during an await.
  #isWoken(): boolean {
    return this.#woken;
  }

  /** When the next pass wants to be, and for how long none may be, however often it is woken. */
  async #attempt(): Promise<{ readonly waitMs: number | undefined; readonly restMs: number }> {
    const { pass, what } = this.#options;
    try {
      const waitMs = await pass();
      this.#outages.worked(what, '');
      this.#backoff.reset();
      return { waitMs, restMs: 0 };
    } catch (error) {
      const restMs = retryAfterOf(error);
      const delayMs = Math.max(this.#backoff.next(), restMs);
      this.#outages.failed(what, '', error, { delayMs });
      return { waitMs: delayMs, restMs };
    }
  }
}
