import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

export interface LineBoundOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly logger: Logger;
  /** What the lines are about, in the plural, such as 'decisions'. */
  readonly what: string;
  /** Lines in a minute for one namespace, and for all together. */
  readonly ofNamespace: number;
  readonly ofAll: number;
}

const WINDOW_MS = 60_000;
// Named in the line about what was left out; the rest is only counted.
const MOST_NAMED = 10;
// No namespace has this name.
const OTHERS = '';

/**
 * How many lines the log gets about what anybody in a namespace can bring about: so many a minute for each namespace, so
 * that none fills the log, and so many for all. The first that is left out makes a line that says so, and the first after
 * that minute one with how many there were. What it remembers is of one minute, and of namespaces that had a line in it.
 */
export class LineBound {
  readonly #options: LineBoundOptions;
  readonly #lines = new Map<string, number>();
  readonly #leftOut = new Map<string, number>();
  #all = 0;
  #begun = -Infinity;

  constructor(options: LineBoundOptions) {
    this.#options = options;
  }

  /** Whether a line about this namespace may be logged now; if so, it counts as logged. */
  take(namespace: string): boolean {
    const { clock, ofNamespace, ofAll } = this.#options;
    const now = clock.elapsed();
    if (now - this.#begun >= WINDOW_MS) this.#begin(now);
    const lines = this.#lines.get(namespace) ?? 0;
    if (lines < ofNamespace && this.#all < ofAll) {
      this.#lines.set(namespace, lines + 1);
      this.#all += 1;
      return true;
    }
    this.#leaveOut(namespace, lines >= ofNamespace);
    return false;
  }

  #leaveOut(namespace: string, isItsOwn: boolean): void {
    const { logger, what } = this.#options;
    // where the lines of all are used up, one that has not used up its own is only part of the sum
    const key = isItsOwn ? namespace : OTHERS;
    const before = this.#leftOut.get(key) ?? 0;
    this.#leftOut.set(key, before + 1);
    if (before > 0) return;
    if (isItsOwn)
      logger.info({ namespace }, `more ${what} of this namespace are left out of the log for up to a minute`);
    else logger.info(`more ${what} are left out of the log for up to a minute`);
  }

  #begin(now: number): void {
    const { logger, what } = this.#options;
    const byNamespace = [...this.#leftOut].sort(([, a], [, b]) => b - a);
    const leftOut = byNamespace.reduce((sum, [, count]) => sum + count, 0);
    const named = byNamespace.filter(([namespace]) => namespace !== OTHERS).slice(0, MOST_NAMED);
    if (leftOut > 0) {
      const line = { leftOut, namespaces: named.map(([namespace]) => namespace) };
      logger.info(line, `${what} were left out of the log`);
    }
    this.#lines.clear();
    this.#leftOut.clear();
    this.#all = 0;
    this.#begun = now;
  }
}
