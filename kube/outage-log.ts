import type { Clock } from './clock.ts';
import { describeError } from './errors.ts';
import type { Logger } from './log.ts';
import { ApiError } from './object-client.ts';

export interface OutageLogOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly logger: Logger;
  /**
   * Returns what is wrong and what to do, if somebody has to do something about this error. Failures with the same
   * explanation are one outage, no matter which part reports them.
   */
  readonly explain?: (error: unknown) => string | undefined;
}

interface Outage {
  /** Those that fail. Without any it is over, and kept for a while in case it comes back. */
  readonly subjects: Set<string>;
  /** By Clock.elapsed(), as is toldAt. */
  since: number;
  failures: number;
  /** What was logged of it. */
  readonly kinds: Set<string>;
  toldAt: number | undefined;
  /** Whether something was logged since it began, so that its end is worth a line. */
  isTold: boolean;
}

// An outage of an hour is a dozen lines.
const REPEAT_MS = 300_000;
// Another error, and what fails again and again with successes in between.
const NEWS_MS = 60_000;
// A thousand objects that fail for the same reason are one problem.
const MOST_ALIKE = 10;
// What is over and older than REPEAT_MS is dropped then; a hundred bytes each.
const MOST_OUTAGES = 5_000;

/**
 * Logs failures that are retried: a few lines for an outage, however long it lasts and however many retries it has.
 * Each part reports its failures and successes by subject; `what` says in the log what the part does, such as "keeping
 * the certificates", and a subject is unique within it. The first failure of a subject is logged at once. Then there is
 * at most one line in five minutes, with the count; another error (another status or reason) is logged at once, but not
 * within a minute of the last line. One line says when it works again, and how long that took. Of subjects that fail
 * alike, ten have lines of their own in five minutes.
 */
export class OutageLog {
  readonly #options: OutageLogOptions;
  readonly #outages = new Map<string, Outage>();
  /** The outage that each failing subject is part of. */
  readonly #outageOf = new Map<string, string>();
  readonly #alike = new Map<string, { readonly since: number; count: number; untold: number }>();

  constructor(options: OutageLogOptions) {
    this.#options = options;
  }

  /** Reports a failure that will be retried. `fields` are for the log line; the error's description is added. */
  failed(what: string, subject: string, error: unknown, fields: Readonly<Record<string, unknown>> = {}): void {
    const { clock, logger, explain } = this.#options;
    const now = clock.elapsed();
    const explanation = explain?.(error);
    const id = idOf(what, subject);
    const outage = this.#join(id, explanation ?? id, now);
    outage.failures += 1;
    const kind = explanation ?? kindOf(error);
    if (!isNews(outage, kind, now)) return;
    const others = this.#others(`${what}\n${kind}`, now);
    if (others === undefined) return;
    outage.kinds.add(kind);
    outage.toldAt = now;
    outage.isTold = true;
    const line = {
      ...fields,
      failures: outage.failures,
      ...(now > outage.since ? { forSeconds: secondsOf(now - outage.since) } : {}),
      ...(others > 0 ? { failuresOfOthers: others } : {}),
      error: describeError(error),
    };
    if (explanation === undefined) logger.warn(line, `${what} failed, will retry`);
    else logger.error(line, explanation);
  }

  /** Reports a success. It costs next to nothing where nothing has failed. */
  worked(what: string, subject: string): void {
    const outage = this.#leave(idOf(what, subject));
    if (outage === undefined || outage.subjects.size > 0 || !outage.isTold) return;
    const { clock, logger } = this.#options;
    const { failures, since } = outage;
    const line = { ...(subject === '' ? {} : { subject }), failures, afterSeconds: secondsOf(clock.elapsed() - since) };
    logger.info(line, `${what} works again`);
  }

  /** Forgets a subject that does not exist any more. */
  forget(what: string, subject: string): void {
    this.#leave(idOf(what, subject));
  }

  #join(id: string, key: string, now: number): Outage {
    if (this.#outageOf.get(id) !== key) this.#leave(id);
    this.#outageOf.set(id, key);
    const outage = this.#outages.get(key) ?? newOutage();
    if (outage.subjects.size === 0) {
      Object.assign(outage, { since: now, failures: 0, isTold: false });
      if (outage.toldAt === undefined || now - outage.toldAt >= NEWS_MS) outage.kinds.clear();
    }
    outage.subjects.add(id);
    this.#outages.delete(key);
    this.#outages.set(key, outage);
    this.#prune(now);
    return outage;
  }

  #leave(id: string): Outage | undefined {
    const key = this.#outageOf.get(id);
    if (key === undefined) return undefined;
    this.#outageOf.delete(id);
    const outage = this.#outages.get(key);
    outage?.subjects.delete(id);
    if (outage?.subjects.size === 0 && outage.toldAt === undefined) this.#outages.delete(key);
    return outage;
  }

  /** Returns how many failures like this one were not logged; undefined if this one should not be, either. */
  #others(alike: string, now: number): number | undefined {
    const before = this.#alike.get(alike);
    if (before !== undefined && now - before.since < REPEAT_MS) {
      if (before.count >= MOST_ALIKE) before.untold += 1;
      else before.count += 1;
      return before.untold > 0 ? undefined : 0;
    }
    this.#alike.set(alike, { since: now, count: 1, untold: 0 });
    return before?.untold ?? 0;
  }

  #prune(now: number): void {
    for (const [alike, { since, untold }] of this.#alike) {
      if (untold === 0 && now - since >= REPEAT_MS) this.#alike.delete(alike);
    }
    if (this.#outages.size <= MOST_OUTAGES) return;
    for (const [key, { subjects, toldAt = 0 }] of this.#outages) {
      if (subjects.size === 0 && now - toldAt >= REPEAT_MS) this.#outages.delete(key);
    }
  }
}

function idOf(what: string, subject: string): string {
  return `${what}\n${subject}`;
}

function newOutage(): Outage {
  return { subjects: new Set(), since: 0, failures: 0, kinds: new Set(), toldAt: undefined, isTold: false };
}

function isNews({ kinds, toldAt }: Outage, kind: string, now: number): boolean {
  if (toldAt === undefined) return true;
  return now - toldAt >= (kinds.has(kind) ? REPEAT_MS : NEWS_MS);
}

/** Errors of the same kind say the same: the rest of their messages differs by object and time. */
function kindOf(error: unknown): string {
  if (error instanceof ApiError) return `${error.code} ${error.reason}`;
  if (!(error instanceof Error)) return typeof error;
  const place = error.stack?.split('\n').find((line) => line.startsWith('    at '));
  return `${error.name} ${place ?? ''}`;
}

function secondsOf(ms: number): number {
  return Math.round(ms / 1000);
}
