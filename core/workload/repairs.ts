/** What is brought up to date without a slot: missed workloads, those that a user asked for, those without a pod. */
import { annotation } from '../injection/annotations.ts';
import type { Rule } from '../policy/rule.ts';
import type { Draft } from './draft.ts';
import { parseRequest } from './request.ts';
import type { RequestKind } from './request.ts';
import type { RestartWish } from './restarts.ts';
import {
  ageOf,
  FRUITLESS_BEFORE_STALL,
  isSameAffair,
  MAX_REPAIRS,
  nextAttempt,
  repairWaitMs,
  undoneBy,
  withoutEffect,
} from './retries.ts';
import { isBehind, isNewcomer, willNotStart } from './standing.ts';
import type { Tracked } from './tracked.ts';
import { newerText, startText } from './versions.ts';

// Somebody has just written the template, and its pods are on their way: the controller has not counted them yet.
const FRESH_MS = 5_000;

/** Plans the next request about one workload, if it needs one that waits for no slot. */
export function planRepair(one: Tracked, rule: Rule, draft: Draft): void {
  const { key, workload, standing } = one;
  if (one.pending || !mayChange(one)) return;
  const isAsked = workload.annotations[annotation.apply] === 'now';
  // admission would deny the edit that removes the annotation
  if (standing.state === 'Denied') return;
  if (!isBehind(standing) && !isMissed(one)) {
    if (!isAsked) return;
    const message = 'applied as the annotation requested; the annotation is removed, so that it can be set again';
    draft.actions.set(key, { key, kind: 'ClearApply', annotations: { [annotation.apply]: null }, message });
    return;
  }
  // new pods would not start, and those that run may
  if (willNotStart(standing)) return;
  if (isMissed(one) || isAsked) askUrgently(one, rule, draft, isAsked);
  else if (workload.rollout.idle && (isRolled(one) || !replacesPods(one))) bringBack(one, rule, draft);
}

function askUrgently(one: Tracked, rule: Rule, draft: Draft, isAsked: boolean): void {
  const { key, workload } = one;
  const last = parseRequest(workload.annotations);
  const before = isSameAffair(one, last, rule, draft) ? last : undefined;
  const undoer = before && undoneBy(one, before);
  // the attempts of a rollout say nothing about repairs
  const earlier = before?.kind === 'Repair' ? before.attempt : 1;
  const attempt = earlier + (undoer === undefined ? 0 : 1);
  if (attempt > MAX_REPAIRS && undoer !== undefined && !isAsked) {
    const message = `undone after each of ${MAX_REPAIRS} injections, ${undoer}; see what it writes, then annotate the workload with ${annotation.apply}=now`;
    draft.stall({ key, reason: 'RepairUndone', message });
    return;
  }
  if (undoer === undefined && one.fruitless >= FRUITLESS_BEFORE_STALL) {
    draft.stall({ key, reason: 'RequestWithoutEffect', message: withoutEffect(one.fruitless) });
  }
  const failures = undoer === undefined ? one.fruitless : attempt - 2;
  if (before !== undefined && !draft.isOver(ageOf(one, before, draft), repairWaitMs(failures))) return;
  const kind = kindOf(one);
  const hash = kind === 'Restart' ? restartHash(one, rule) : rule.hash;
  draft.request(key, { kind, hash, attempt: isAsked ? 1 : attempt }, messageOf(kind, one, rule));
}

/** Nothing that works can be lost, so no slot is needed; but a template that helps nobody is not written all the time. */
function bringBack(one: Tracked, rule: Rule, draft: Draft): void {
  const { key, workload, ages } = one;
  const last = parseRequest(workload.annotations);
  const ageMs = ages?.templateMs ?? Math.max(0, draft.now - workload.writtenAt);
  const youngestMs = last === undefined ? ageMs : Math.min(ageMs, ageOf(one, last, draft));
  if (!draft.isOver(youngestMs, FRESH_MS)) return;
  const attempt = nextAttempt(one, rule.hash, draft);
  if (attempt === undefined) return;
  const hasPods = replacesPods(one) || workload.rollout.onDelete;
  const why = hasPods ? 'none of its pods is available' : 'its next run takes it';
  const message = `asked admission to bring it up to date: ${why}`;
  draft.request(key, { kind: 'Repair', hash: rule.hash, attempt }, message);
}

/** Whether it should be injected and is not, and not because it ran before the policy. */
function isMissed({ standing }: Tracked): boolean {
  return standing.state === 'Missed' && !isNewcomer(standing);
}

function kindOf(one: Tracked): RequestKind {
  if (isMissed(one)) return 'Repair';
  if (isNewcomer(one.standing)) return 'Adoption';
  return one.standing.restartPending ? 'Restart' : 'Rollout';
}

/** Returns the hash of the versions that its pods should start with. */
export function restartHash({ workload }: Tracked, rule: Rule): string {
  return workload.annotations[annotation.restart] ?? rule.hash;
}

/** Whether a change of the template replaces its pods right away. */
export function isRolled(one: Tracked): boolean {
  const { paused, onDelete } = one.workload.rollout;
  return mayChange(one) && replacesPods(one) && !paused && !onDelete;
}

function replacesPods({ workload }: Tracked): boolean {
  return workload.traits.replacesPods;
}

/** Whether admission can change its template. */
function mayChange({ workload }: Tracked): boolean {
  return workload.traits.templateMayChange;
}

/**
 * What a request of that kind does, for Events.
 *
 * @param wish what rotation wants, if that is the reason
 */
export function messageOf(kind: RequestKind, { workload }: Tracked, { policy }: Rule, wish?: RestartWish): string {
  const { [annotation.versions]: versions } = workload.annotations;
  switch (kind) {
    case 'Repair':
      return 'asked admission to inject it';
    case 'Adoption':
      return 'asked admission to inject it for the first time: it ran before the policy';
    case 'Rollout':
      return `asked admission to inject it as generation ${policy.generation} of the policy says`;
    case 'Restart':
      return wish === undefined ? startText(versions) : newerText(wish.versions, versions);
  }
}
