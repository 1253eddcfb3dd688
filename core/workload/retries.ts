/** When to ask again, and who undid what was asked for. Pure. */
import type { Rule } from '../policy/rule.ts';
import type { Draft } from './draft.ts';
import { parseRequest } from './request.ts';
import type { Request } from './request.ts';
import type { Tracked } from './tracked.ts';
import { isOther, REQUEST_FIELD_MANAGER } from './workload.ts';

export const MAX_REPAIRS = 3;
// After this many requests that changed nothing it is worth reporting; they go on, because they restart no pods.
export const FRUITLESS_BEFORE_STALL = 3;
// An undone repair has rolled the pods twice: the second and third attempt leave the other side time to finish.
const FIRST_WAIT_MS = 10_000;
// Pods run without their secrets as long as a repair has no effect.
const LONGEST_WAIT_MS = 300_000;
// What works as it is can wait: with four times the wait each time, ten requests in the first day and four in any other.
const SLOWER = 4;
const LONGEST_SLOW_WAIT_MS = 21_600_000;
// A tool that keeps undoing a repair takes less time per round (GitOps tools come back within hours); a workload missed
// later has another reason, such as a second outage of the webhook. More than any wait.
export const ROUND_MS = 86_400_000;
// As many as the annotation has room for.
const MOST_ATTEMPTS = 99_999;

/** Milliseconds to wait after a repair that had no effect, the `failures`-th in a row (from 0). */
export function repairWaitMs(failures: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
}

/** Returns how many milliseconds ago the request was made. */
export function ageOf({ ages }: Tracked, { time }: Request, { now }: Draft): number {
  return ages?.requestMs ?? Math.max(0, now - time);
}

/**
 * Whether the last request is about the same problem: not if the rule has changed since, or if it has been quiet for
 * long.
 */
export function isSameAffair(one: Tracked, last: Request | undefined, rule: Rule, draft: Draft): last is Request {
  if (last === undefined || (last.hash !== rule.hash && last.kind !== 'Restart')) return false;
  return ageOf(one, last, draft) < ROUND_MS || last.attempt >= MAX_REPAIRS;
}

/** Returns who undid the request, or undefined if it had no effect in the first place. */
export function undoneBy(one: Tracked, request: Request): string | undefined {
  const writer = writerSince(one, request);
  if (writer !== undefined) return `by field manager ${writer.manager} (${writer.operation})`;
  if (!one.seenInjected) return undefined;
  const last = one.workload.writers.find(isOther);
  return last === undefined
    ? 'and no field manager owns the template'
    : `by field manager ${last.manager} (${last.operation})`;
}

/** Returns who else wrote the template after the request was made, the newest first; undefined if nobody did. */
export function writerSince(
  { workload: { writers } }: Tracked,
  { time }: Request,
): Tracked['workload']['writers'][number] | undefined {
  // what API servers wrote down is compared with what API servers wrote down, wherever it is still known
  const own = writers.find(({ manager }) => manager === REQUEST_FIELD_MANAGER);
  const since = own === undefined ? time : Date.parse(own.time);
  return writers.find((writer) => isOther(writer) && Date.parse(writer.time) > since);
}

/**
 * Returns the number of the attempt that is due now to bring a workload up to date that has something to lose;
 * undefined: not yet. The number is in the annotation, so a restart of the operator does not start over. Reports that
 * several had no lasting effect.
 */
export function nextAttempt(one: Tracked, hash: string, draft: Draft): number | undefined {
  const last = parseRequest(one.workload.annotations);
  if (last?.hash !== hash) return 1;
  const ageMs = ageOf(one, last, draft);
  const wasEffective = one.seenInjected && writerSince(one, last) === undefined;
  if (wasEffective || ageMs >= ROUND_MS) return draft.isOver(ageMs, FIRST_WAIT_MS) ? 1 : undefined;
  if (last.attempt >= FRUITLESS_BEFORE_STALL) {
    const undoer = undoneBy(one, last);
    const outcome = undoer === undefined ? withoutEffect(last.attempt) : `undone ${last.attempt} times, ${undoer}`;
    draft.stall({ key: one.key, reason: 'RequestWithoutEffect', message: `${outcome}; asked again within hours` });
  }
  const waitMs = Math.min(LONGEST_SLOW_WAIT_MS, FIRST_WAIT_MS * SLOWER ** (last.attempt - 1));
  return draft.isOver(ageMs, waitMs) ? Math.min(MOST_ATTEMPTS, last.attempt + 1) : undefined;
}

/** The message about so many requests that changed nothing. */
export function withoutEffect(requests: number): string {
  return `${requests} requests to inject it changed nothing: the API server does not reach the webhook, or something after the webhook removes the injection`;
}
