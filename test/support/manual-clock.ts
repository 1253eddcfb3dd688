import type { Clock } from '../../kube/clock.ts';
import { systemClock } from '../../kube/clock.ts';

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #now: number;
  /** How far somebody has set the clock, in milliseconds. */
  #shift = 0;
  #sleepers: { readonly due: number; readonly wake: () => void }[] = [];

  constructor(now = Date.parse('2026-11-23T12:00:00Z')) {
    this.#now = now;
  }

  now(): number {
    return this.#now + this.#shift;
  }

  elapsed(): number {
    return this.#now;
  }

  /** Sets the wall clock forward, or back if `ms` is negative, as an administrator or NTP does; no time passes. */
  set(ms: number): void {
    this.#shift += ms;
  }

  /** How long each of those that sleep has still to sleep, shortest first. */
  get sleeping(): number[] {
    return this.#sleepers.map(({ due }) => due - this.#now).sort((a, b) => a - b);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const sleeper = { due: this.#now + Math.max(ms, 0), wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      });
    });
  }

  /** Advances by `ms` milliseconds; sleepers wake in order, and each does its work before time goes on. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#sleepers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.due);
      next.wake();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** The machine's clock, but nobody sleeps longer than a hundredth of a second: for tests with real sockets. */
export const hurriedClock: Clock = {
  now: () => systemClock.now(),
  elapsed: () => systemClock.elapsed(),
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 10), signal),
};

/** Lets everything happen that waits for other promises alone, and not for time. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until `check` no longer throws; after `withinMs` milliseconds what it throws is the failure. */
export async function eventually(check: () => void, withinMs = 8_000): Promise<void> {
  const end = Date.now() + withinMs;
  for (;;) {
    try {
      check();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await systemClock.sleep(5);
  }
}
