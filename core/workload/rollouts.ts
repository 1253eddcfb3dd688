/** What is rolled, restarted or adopted in the slots of a policy, and what stops that. */
import { annotation } from '../injection/annotations.ts';
import type { Rule } from '../policy/rule.ts';
import { settleMs } from '../policy/start-time.ts';
import type { Draft } from './draft.ts';
import { isRolled, messageOf, restartHash } from './repairs.ts';
import { parseRequest } from './request.ts';
import type { Request, RequestKind } from './request.ts';
import type { RestartWish } from './restarts.ts';
import { ageOf, nextAttempt, ROUND_MS, writerSince } from './retries.ts';
import { isBehind, isNewcomer, willNotStart } from './standing.ts';
import type { Tracked } from './tracked.ts';
import { versionsText } from './versions.ts';

// The default of a Deployment's progressDeadlineSeconds, for kinds whose controller has no deadline.
const ROLLOUT_DEADLINE_MS = 600_000;

/** @param slots how many of the policy's workloads may be rolling at once, as far as the whole cluster goes */
export function planRollouts(
  tracked: readonly Tracked[],
  rule: Rule,
  wishes: ReadonlyMap<string, RestartWish>,
  slots: number,
  draft: Draft,
): void {
  let isStopped = false;
  for (const one of tracked) {
    const { key } = one;
    const request = rolledBy(one, rule, draft);
    if (one.pending || isAskedFor(key, draft) || holdsSlot(one, request, draft)) draft.rolling.push(key);
    if (draft.rolling.at(-1) === key && isHopeless(one, request, draft)) draft.stuck += 1;
    const failure = request && !isBehind(one.standing) ? failureOf(one, request, rule, draft) : undefined;
    if (failure === undefined) continue;
    isStopped = true;
    draft.stall({ key, reason: 'RolloutFailed', message: failure });
  }
  if (isStopped) return;
  const holders = new Set(draft.rolling);
  for (const one of tracked) {
    const { key } = one;
    const begin = beginning(one, rule, wishes.get(key), draft);
    if (begin === undefined) continue;
    const hasSlot = holders.has(key);
    if (!hasSlot && draft.rolling.length >= rule.rollout.maxConcurrent) continue;
    if (!hasSlot && draft.rolling.length - draft.stuck >= slots) {
      draft.isWaiting = true;
      continue;
    }
    begin();
    if (!hasSlot) draft.rolling.push(key);
  }
}

/** A repair takes no slot: its pods run without their secrets, or not at all. */
function isAskedFor(key: string, { actions }: Draft): boolean {
  const kind = actions.get(key)?.kind;
  return kind === 'Adoption' || kind === 'Rollout' || kind === 'Restart';
}

/**
 * Returns the request that its pods are being replaced for. Undefined if somebody has changed the template since: that
 * is their rollout, and its failures are not ours.
 */
function rolledBy(one: Tracked, rule: Rule, draft: Draft): Request | undefined {
  if (!isRolled(one)) return undefined;
  const request = parseRequest(one.workload.annotations);
  if (request === undefined || request.kind === 'Repair' || hasSettled(one, request, rule, draft)) return undefined;
  return writerSince(one, request) === undefined ? request : undefined;
}

/**
 * Whether its pods are being replaced, for a rule that may have changed meanwhile, or would be as soon as the webhook
 * is back: if restarts that reach no template freed their slots, all of them would begin at once then.
 */
function holdsSlot(one: Tracked, request: Request | undefined, draft: Draft): boolean {
  const { standing, workload } = one;
  // nothing is known of its pods, and nothing will be rolled
  if (standing.reason === 'WorkloadTooLarge') return false;
  if (!isBehind(standing)) return request !== undefined;
  if (standing.restartPending) return isRolled(one) && !willNotStart(standing);
  // an outdated one that does not become ready must not block the rule that fixes it
  return request !== undefined && workload.rollout.phase === 'Progressing' && !isStuck(one, request, draft);
}

/** Returns what begins its rollout, if it is due; else undefined. */
function beginning(one: Tracked, rule: Rule, wish: RestartWish | undefined, draft: Draft): (() => void) | undefined {
  const { key, standing } = one;
  if (one.pending || draft.actions.has(key) || !isRolled(one) || willNotStart(standing)) return undefined;
  if (!isBehind(standing) && standing.state !== 'Injected') return undefined;
  const isWished = wish?.baselineOnly === false && !isNewcomer(standing);
  const isDue = isBehind(standing) && rule.rollout.strategy === 'Automatic';
  if (!isDue && !isWished && !standing.restartPending) return undefined;
  const isRestart = isWished || standing.restartPending;
  const kind: RequestKind = isRestart ? 'Restart' : isNewcomer(standing) ? 'Adoption' : 'Rollout';
  const hash = isWished ? wish.hash : isRestart ? restartHash(one, rule) : rule.hash;
  const attempt = nextAttempt(one, hash, draft);
  if (attempt === undefined) return undefined;
  const more = isWished ? { [annotation.restart]: wish.hash, [annotation.versions]: versionsText(wish.versions) } : {};
  return () =>
    draft.request(key, { kind, hash, attempt }, messageOf(kind, one, rule, isWished ? wish : undefined), more);
}

/** Whether its new pods have been available without a break for long enough: then the next workload has its turn. */
function hasSettled(one: Tracked, request: Request, rule: Rule, draft: Draft): boolean {
  const { workload, ages } = one;
  if (workload.rollout.phase !== 'Complete') return false;
  if (ages === undefined || ageOf(one, request, draft) >= ROUND_MS) return true;
  // pods that are not available get no closer to it by waiting
  if (!workload.rollout.available) return ages.steadyMs >= settleMs(rule);
  return draft.isOver(ages.steadyMs, settleMs(rule));
}

function failureOf(one: Tracked, request: Request, rule: Rule, draft: Draft): string | undefined {
  const { traits, rollout } = one.workload;
  if (rollout.phase === 'Complete') {
    if (rollout.available || !draft.isOver(one.ages?.brokenMs ?? 0, settleMs(rule))) return undefined;
    return 'its new pods were available, and then failed';
  }
  if (rollout.phase === 'Failed') {
    return `its new pods did not become available: ${rollout.message ?? 'the controller gave up'}`;
  }
  if (traits.hasDeadline || !isStuck(one, request, draft)) return undefined;
  return `its new pods have made no progress for ${ROLLOUT_DEADLINE_MS / 60_000} minutes`;
}

/**
 * Whether it makes no progress, however long its controller goes on: its policy waits for it, but a tenant must not hold the
 * slots of the whole cluster by pods that never become ready.
 */
function isHopeless(one: Tracked, request: Request | undefined, draft: Draft): boolean {
  return (
    !one.pending && request !== undefined && one.workload.rollout.phase !== 'Complete' && isStuck(one, request, draft)
  );
}

/** Whether nothing has happened to its pods for long, since the request or since they last made progress. */
function isStuck(one: Tracked, request: Request, draft: Draft): boolean {
  const stillMs = Math.min(ageOf(one, request, draft), one.ages?.quietMs ?? Infinity);
  return draft.isOver(stillMs, ROLLOUT_DEADLINE_MS);
}

/** Only if nothing else changes: any edit of an outdated workload's annotations rolls it. */
export function noteBaseline(
  { key, workload, standing, pending }: Tracked,
  wishes: ReadonlyMap<string, RestartWish>,
  draft: Draft,
): void {
  const wish = wishes.get(key);
  if (wish?.baselineOnly !== true || pending || draft.actions.has(key)) return;
  if (standing.state !== 'Injected' || standing.restartPending) return;
  const text = versionsText(wish.versions);
  if (workload.annotations[annotation.versions] === text) return;
  const annotations = { [annotation.versions]: text };
  draft.actions.set(key, { key, kind: 'Baseline', annotations, message: 'recorded the versions that its pods have' });
}
