/** What an attack costs the operator, as its own metrics and the kernel tell it; printed for the table of docs/security.md. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningOperator } from '../support/operator.ts';

const EVERY_MS = 200;

/** Peak of the resident memory of an operator since it was started, in MiB. */
export function peakMiB({ pid }: Pick<RunningOperator, 'pid'>): number {
  const [, kib = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** Looks at an operator from its creation until stop(), also when it is replaced by another one meanwhile. */
export class Toll {
  readonly #operator: () => RunningOperator;
  readonly #watched: Promise<void>;
  #isStopped = false;
  #longestMs = 0;
  #peakMiB = 0;

  constructor(operator: () => RunningOperator) {
    this.#operator = operator;
    this.#watched = this.#watch();
  }

  /** Of the resident memory so far. */
  get peakMiB(): number {
    return this.#peakMiB;
  }

  /** Resolves with a line for people: the longest block of the event loop, which no test asserts, and the peak of memory. */
  async stop(): Promise<string> {
    this.#isStopped = true;
    await this.#watched;
    return `longest block of the event loop ${this.#longestMs.toFixed(0)} ms, peak RSS ${this.#peakMiB.toFixed(0)} MiB`;
  }

  async #watch(): Promise<void> {
    do {
      await this.#look().catch(() => undefined); // it is being started or stopped
      if (!this.#isStopped) await sleep(EVERY_MS);
    } while (!this.#isStopped);
    await this.#look().catch(() => undefined);
  }

  async #look(): Promise<void> {
    const operator = this.#operator();
    this.#peakMiB = Math.max(this.#peakMiB, peakMiB(operator));
    // the longest since the last look
    const { body } = await operator.health('/metrics');
    const [, seconds = '0'] = /^nodejs_eventloop_lag_max_seconds ([\d.e+-]+)$/m.exec(body) ?? [];
    this.#longestMs = Math.max(this.#longestMs, Number(seconds) * 1000);
  }
}
