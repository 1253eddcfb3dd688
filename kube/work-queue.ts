import { atMost } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { BackoffLimits } from './backoff.ts';
import { backoffDelay } from './backoff.ts';
import { retryAfterOf } from './errors.ts';
import { OutageLog } from './outage-log.ts';
import { ownTurn, SLICE_MS } from './slices.ts';

export interface WorkQueueOptions {
  /** Processes one key. A rejection is a failure: the key is retried after a growing delay. */
  readonly process: (key: string) => Promise<void>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Where failures are logged, by key; default: a log of its own. With one that is shared, `what` is its own. */
  readonly outages?: OutageLog | undefined;
  /** What processing a key does, for the log, such as "checking Vault". */
  readonly what?: string;
  /** How many keys are processed at once; one key is never processed twice at the same time. */
  readonly concurrency?: number;
  readonly backoff?: BackoffLimits;
  /** Called with every failure, for metrics. */
  readonly onRetry?: (key: string, failures: number) => void;
}

// The first retry of a key is quick (a conflict passes at once), later ones spare an API server in trouble.
const KEY_BACKOFF: BackoffLimits = { initialMs: 200, maxMs: 60_000 };

/**
 * A queue of keys, not of events: a key that is added several times is queued once, and is processed with the state at
 * that time. A key that is added while it is being processed is processed again afterwards.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #concurrency: number;
  readonly #backoff: BackoffLimits;
  readonly #outages: OutageLog;
  readonly #what: string;
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  readonly #addedWhileRunning = new Set<string>();
  /** When each is due. One timer waits for the first of them, because thousands of timers would be slow to set. */
  readonly #delayed = new Map<string, number>();
  #alarm: { readonly due: number; readonly cancel: AbortController } | undefined;
  /** When the current turn of the event loop began to process keys. */
  #sliceBegan: number | undefined;
  readonly #failures = new Map<string, number>();
  #stopped = false;
  #waitingForIdle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? 4;
    this.#backoff = options.backoff ?? KEY_BACKOFF;
    this.#outages = options.outages ?? new OutageLog(options);
    this.#what = options.what ?? 'processing a key';
  }

  /** The number of keys that are ready, without those that are delayed. */
  get depth(): number {
    return this.#ready.size + this.#addedWhileRunning.size;
  }

  /** Queues `key` to be processed as soon as possible; this cancels its delay. */
  add(key: string): void {
    if (this.#stopped) return;
    this.#cancelDelay(key);
    if (this.#running.has(key)) this.#addedWhileRunning.add(key);
    else this.#ready.add(key);
    this.#pump();
  }

  /** Queues `key` to be processed in `ms` milliseconds at the latest. */
  addAfter(key: string, ms: number): void {
    if (this.#stopped) return;
    const due = this.#options.clock.elapsed() + ms;
    if (this.#ready.has(key) || (this.#delayed.get(key) ?? Infinity) <= due) return;
    this.#delayed.set(key, due);
    if (this.#alarm === undefined || due < this.#alarm.due) this.#wakeAt(due);
  }

  /** Forgets the failures and delays of `key`. */
  forget(key: string): void {
    this.#cancelDelay(key);
    this.#ready.delete(key);
    this.#addedWhileRunning.delete(key);
    this.#failures.delete(key);
    this.#outages.forget(this.#what, key);
  }

  /** Resolves when nothing is ready and nothing runs; delayed keys do not count. */
  whenIdle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForIdle.push(resolve));
  }

  /** Accepts nothing more, drops delayed keys, finishes what is ready; gives up after `drainMs` milliseconds. */
  async stop(drainMs = 5_000): Promise<void> {
    this.#stopped = true;
    this.#delayed.clear();
    this.#alarm?.cancel.abort();
    await atMost(this.#options.clock, drainMs, this.whenIdle());
    this.#ready.clear();
    this.#addedWhileRunning.clear();
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#running.size >= this.#concurrency || this.#isSliceOver()) return;
      this.#ready.delete(key);
      this.#running.add(key);
      void this.#turn(key);
    }
  }

  /**
   * Whether others have to have their turn before the next key: thousands that need no I/O take seconds in all. Then what
   * is ready goes on afterwards.
   */
  #isSliceOver(): boolean {
    const now = this.#options.clock.elapsed();
    if (this.#sliceBegan !== undefined) return now >= this.#sliceBegan + SLICE_MS;
    this.#sliceBegan = now;
    void ownTurn().then(() => {
      this.#sliceBegan = undefined;
      this.#pump();
    });
    return false;
  }

  async #turn(key: string): Promise<void> {
    try {
      await this.#options.process(key);
      this.#failures.delete(key);
      this.#outages.worked(this.#what, key);
    } catch (error) {
      this.#failed(key, error);
    }
    this.#running.delete(key);
    if (this.#addedWhileRunning.delete(key)) {
      this.#cancelDelay(key);
      this.#ready.add(key);
    }
    this.#pump();
    if (this.#isIdle()) this.#waitingForIdle.splice(0).forEach((resolve) => resolve());
  }

  #failed(key: string, error: unknown): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = Math.max(backoffDelay(failures, this.#backoff, this.#options.random), retryAfterOf(error));
    this.#outages.failed(this.#what, key, error, { key, delayMs });
    this.#options.onRetry?.(key, failures);
    this.addAfter(key, delayMs);
  }

  #isIdle(): boolean {
    return this.#ready.size === 0 && this.#running.size === 0;
  }

  #cancelDelay(key: string): void {
    this.#delayed.delete(key);
    if (this.#delayed.size > 0) return;
    this.#alarm?.cancel.abort();
    this.#alarm = undefined;
  }

  #wakeAt(due: number): void {
    const { clock } = this.#options;
    this.#alarm?.cancel.abort();
    const cancel = new AbortController();
    this.#alarm = { due, cancel };
    void clock.sleep(due - clock.elapsed(), cancel.signal).then(() => {
      if (!cancel.signal.aborted) this.#ring();
    });
  }

  /** Makes ready what is due, and waits for the next. */
  #ring(): void {
    const now = this.#options.clock.elapsed();
    this.#alarm = undefined;
    let next = Infinity;
    for (const [key, due] of this.#delayed) {
      if (due > now) next = Math.min(next, due);
      else this.add(key);
    }
    if (next < Infinity) this.#wakeAt(next);
  }
}
