/**
 * What to do about the workloads of one policy now: repair what was missed, roll what is outdated, restart what runs
 * with an older version of a secret. Pure, and level-based: it goes by the workloads themselves (their state, the
 * progress of their rollouts, earlier requests), so a restart of the operator in the middle of a rollout changes
 * nothing.
 */
import { annotation } from '../injection/annotations.ts';
import { KINDS } from '../kinds.ts';
import type { Rule } from '../policy/rule.ts';
import type { ReasonCode } from '../reasons.ts';
import { formatRequest, parseRequest } from './request.ts';
import type { Request, RequestKind } from './request.ts';
import type { RestartWish } from './restarts.ts';
import type { Standing } from './standing.ts';
import type { Workload, Writer } from './workload.ts';

/** A workload that a policy applies to. */
export interface Tracked {
  /** As workloadKey() returns it. */
  readonly key: string;
  readonly workload: Workload;
  readonly standing: Standing;
  /** A request about it was sent to the API server, and its effect has not been seen yet. */
  readonly pending: boolean;
  /** This process has seen it injected since the request in its annotation. */
  readonly seenInjected: boolean;
  /** Consecutive requests of this process that changed nothing. */
  readonly fruitless: number;
}

export interface Action {
  readonly key: string;
  readonly kind: RequestKind | 'Baseline' | 'ClearApply';
  /** Merge patch for the workload's annotations. */
  readonly annotations: Readonly<Record<string, string | null>>;
  /** What to report about it. */
  readonly message: string;
}

export interface Stall {
  readonly key: string;
  readonly reason: Extract<ReasonCode, 'RepairUndone' | 'RolloutFailed' | 'RequestWithoutEffect'>;
  readonly message: string;
}

export interface Plan {
  readonly actions: readonly Action[];
  readonly stalls: readonly Stall[];
  /** Keys of workloads whose pods are being replaced at the operator's request. */
  readonly rolling: readonly string[];
  /** Milliseconds after which to plan again even if nothing has changed. */
  readonly againInMs?: number;
}

/** Field managers of the operator; what they write counts as nobody's edit. */
export const REQUEST_FIELD_MANAGER = 'vault-injection-operator-requests';

const MAX_REPAIRS = 3;
// An undone repair has rolled the pods twice: the second and third attempt leave the other side time to finish.
const REPAIR_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 300_000;
// A tool that keeps undoing a repair takes less time per round (GitOps tools come back within hours); a workload missed
// later has another reason, such as a second outage of the webhook.
const ROUND_MS = 86_400_000;
// After this many requests that changed nothing it is worth reporting; they go on, because they restart no pods.
const FRUITLESS_BEFORE_STALL = 3;
// The default of a Deployment's progressDeadlineSeconds; StatefulSets have none of their own.
const ROLLOUT_DEADLINE_MS = 600_000;

/** @param tracked only those that the policy of the rule applies to */
export function plan(rule: Rule, tracked: readonly Tracked[], restarts: readonly RestartWish[], now: number): Plan {
  const draft = new Draft(now);
  const sorted = tracked.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const wishes = new Map(restarts.map((wish) => [wish.key, wish]));
  for (const one of sorted) planRepair(one, rule, draft);
  planRollout(sorted, rule, wishes, draft);
  for (const one of sorted) noteBaseline(one, wishes, draft);
  return draft.plan();
}

/** A plan in the making. */
class Draft {
  readonly now: number;
  readonly actions = new Map<string, Action>();
  readonly stalls: Stall[] = [];
  readonly rolling: string[] = [];
  #againAt = Infinity;

  constructor(now: number) {
    this.now = now;
  }

  /** Returns true if the time has come; else schedules another look for then. */
  isDue(at: number): boolean {
    if (at <= this.now) return true;
    this.#againAt = Math.min(this.#againAt, at);
    return false;
  }

  request(key: string, request: Omit<Request, 'time'>, message: string, more: Action['annotations'] = {}): void {
    const requested = formatRequest({ ...request, time: this.now });
    const annotations = { [annotation.requested]: requested, ...more };
    this.actions.set(key, { key, kind: request.kind, annotations, message });
  }

  plan(): Plan {
    const { stalls, rolling } = this;
    const again = this.#againAt === Infinity ? {} : { againInMs: this.#againAt - this.now };
    return { actions: [...this.actions.values()], stalls, rolling, ...again };
  }
}

/** Repairs missed workloads, and those that a user asked for with `apply`: neither waits for a slot. */
function planRepair(one: Tracked, rule: Rule, draft: Draft): void {
  const { key, workload, standing } = one;
  if (one.pending) return;
  const isAsked = workload.annotations[annotation.apply] === 'now';
  const isMissed = standing.state === 'Missed';
  // admission would deny the edit that removes the annotation
  if (standing.state === 'Denied') return;
  if (isAsked && !isMissed && standing.state !== 'Outdated') {
    const message = 'applied as the annotation requested; the annotation is removed, so that it can be set again';
    draft.actions.set(key, { key, kind: 'ClearApply', annotations: { [annotation.apply]: null }, message });
    return;
  }
  if ((!isMissed && !isAsked) || !mayChange(one)) return;
  const kind: RequestKind = isMissed ? 'Repair' : standing.restartPending ? 'Restart' : 'Rollout';
  const last = parseRequest(workload.annotations);
  const before = isSameAffair(last, rule, draft.now) ? last : undefined;
  const undoer = before && undoneBy(one, before);
  const attempt = before === undefined ? 1 : before.attempt + (undoer === undefined ? 0 : 1);
  if (attempt > MAX_REPAIRS && !isAsked) {
    const message = `undone after each of ${MAX_REPAIRS} injections, ${undoer ?? 'by an unknown writer'}; see what it writes, then annotate the workload with ${annotation.apply}=now`;
    draft.stalls.push({ key, reason: 'RepairUndone', message });
    return;
  }
  if (undoer === undefined && one.fruitless >= FRUITLESS_BEFORE_STALL) {
    const message = `${one.fruitless} requests to inject it changed nothing: the API server does not reach the webhook, or something after the webhook removes the injection`;
    draft.stalls.push({ key, reason: 'RequestWithoutEffect', message });
  }
  const failures = undoer === undefined ? one.fruitless : attempt - 2;
  const backoff = Math.min(LONGEST_BACKOFF_MS, REPAIR_BACKOFF_MS * 2 ** failures);
  if (before !== undefined && !draft.isDue(before.time + backoff)) return;
  const hash = kind === 'Restart' ? restartHash(workload, rule) : rule.hash;
  draft.request(key, { kind, hash, attempt: isAsked ? 1 : attempt }, messageOf(kind));
}

/**
 * Whether the last request is about the same problem: not if the rule has changed since, or if it has been quiet for
 * long.
 */
function isSameAffair(last: Request | undefined, rule: Rule, now: number): boolean {
  if (last === undefined || (last.hash !== rule.hash && last.kind !== 'Restart')) return false;
  return now - last.time < ROUND_MS || last.attempt >= MAX_REPAIRS;
}

/** Returns who undid the request, or undefined if it had no effect in the first place. */
function undoneBy({ workload, seenInjected }: Tracked, request: Request): string | undefined {
  const writer = workload.writers.find(isOther);
  const isLater = writer !== undefined && Date.parse(writer.time) > request.time;
  if (!isLater && !seenInjected) return undefined;
  return writer === undefined
    ? 'and no field manager owns the template'
    : `by field manager ${writer.manager} (${writer.operation})`;
}

function isOther({ manager, template }: Writer): boolean {
  return template && manager !== REQUEST_FIELD_MANAGER;
}

function restartHash({ annotations }: Workload, rule: Rule): string {
  return annotations[annotation.restart] ?? rule.hash;
}

function planRollout(
  tracked: readonly Tracked[],
  rule: Rule,
  wishes: ReadonlyMap<string, RestartWish>,
  draft: Draft,
): void {
  let isStopped = false;
  for (const one of tracked) {
    const { key } = one;
    const request = rolledBy(one);
    if (one.pending || draft.actions.has(key) || holdsSlot(one, request, draft)) draft.rolling.push(key);
    const failure = request && one.standing.state !== 'Outdated' ? failureOf(one, request, draft) : undefined;
    if (failure === undefined) continue;
    isStopped = true;
    draft.stalls.push({ key, reason: 'RolloutFailed', message: failure });
  }
  if (isStopped) return;
  const holders = new Set(draft.rolling);
  for (const one of tracked) {
    const { key } = one;
    const hasSlot = holders.has(key);
    if (!hasSlot && draft.rolling.length >= rule.rollout.maxConcurrent) continue;
    if (rollOne(one, rule, wishes.get(key), draft) && !hasSlot) draft.rolling.push(key);
  }
}

/**
 * Returns the request that its pods are being replaced for. Undefined if somebody has changed the template since: that
 * is their rollout, and its failures are not ours.
 */
function rolledBy(one: Tracked): Request | undefined {
  const { annotations, rollout, writers } = one.workload;
  if (rollout.phase === 'Complete' || !isRolled(one)) return undefined;
  const request = parseRequest(annotations);
  if (request === undefined || request.kind === 'Repair') return undefined;
  const isOverwritten = writers.some((writer) => isOther(writer) && Date.parse(writer.time) > request.time);
  return isOverwritten ? undefined : request;
}

/**
 * Whether its pods are being replaced, for a rule that may have changed meanwhile, or would be as soon as the webhook
 * is back: if restarts that reach no template freed their slots, all of them would begin at once then.
 */
function holdsSlot(one: Tracked, request: Request | undefined, draft: Draft): boolean {
  const { standing, workload } = one;
  if (standing.state !== 'Outdated') return request !== undefined;
  if (standing.restartPending) return isRolled(one);
  // an outdated one that does not become ready must not block the rule that fixes it
  return (
    request !== undefined &&
    workload.rollout.phase === 'Progressing' &&
    !draft.isDue(request.time + ROLLOUT_DEADLINE_MS)
  );
}

/** Returns true if a request was made. */
function rollOne(one: Tracked, rule: Rule, wish: RestartWish | undefined, draft: Draft): boolean {
  const { key, workload, standing } = one;
  if (one.pending || draft.actions.has(key) || !isRolled(one)) return false;
  if (standing.state !== 'Outdated' && standing.state !== 'Injected') return false;
  const isWished = wish?.baselineOnly === false;
  const isOutdated = standing.state === 'Outdated' && rule.rollout.strategy === 'Automatic';
  if (!isOutdated && !isWished && !standing.restartPending) return false;
  const kind: RequestKind = isWished || standing.restartPending ? 'Restart' : 'Rollout';
  const hash = isWished ? wish.hash : kind === 'Restart' ? restartHash(workload, rule) : rule.hash;
  const last = parseRequest(workload.annotations);
  const backoff = Math.min(LONGEST_BACKOFF_MS, REPAIR_BACKOFF_MS * 2 ** one.fruitless);
  if (last?.hash === hash && !draft.isDue(last.time + backoff)) return false;
  const more = isWished ? { [annotation.restart]: wish.hash, [annotation.versions]: versionsText(wish) } : {};
  draft.request(key, { kind, hash, attempt: 1 }, messageOf(kind), more);
  return true;
}

/** Whether a change of the template replaces its pods right away. */
function isRolled(one: Tracked): boolean {
  const { paused, onDelete } = one.workload.rollout;
  return mayChange(one) && !paused && !onDelete;
}

/** Whether admission can change its template. */
function mayChange({ workload }: Tracked): boolean {
  return KINDS[workload.kind].templateMayChange;
}

function failureOf({ workload }: Tracked, request: Request, draft: Draft): string | undefined {
  const { phase, message } = workload.rollout;
  if (phase === 'Failed') return `its new pods did not become available: ${message ?? 'the controller gave up'}`;
  const deadline = request.time + ROLLOUT_DEADLINE_MS;
  if (!draft.isDue(deadline)) return undefined;
  return `its new pods were not available ${ROLLOUT_DEADLINE_MS / 60_000} minutes after its rollout began`;
}

/** Only if nothing else changes: any edit of an outdated workload's annotations rolls it. */
function noteBaseline(
  { key, workload, standing, pending }: Tracked,
  wishes: ReadonlyMap<string, RestartWish>,
  draft: Draft,
): void {
  const wish = wishes.get(key);
  if (wish?.baselineOnly !== true || pending || draft.actions.has(key)) return;
  if (standing.state !== 'Injected' || standing.restartPending) return;
  const text = versionsText(wish);
  if (workload.annotations[annotation.versions] === text) return;
  const annotations = { [annotation.versions]: text };
  draft.actions.set(key, { key, kind: 'Baseline', annotations, message: 'recorded the versions that its pods have' });
}

/** Returns equal text for equal content: paths in order. */
export function versionsText({ versions }: Pick<RestartWish, 'versions'>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(versions).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function messageOf(kind: RequestKind): string {
  switch (kind) {
    case 'Repair':
      return 'asked admission to inject it';
    case 'Rollout':
      return 'asked admission to inject it as the policy currently says';
    case 'Restart':
      return 'asked for new pods: a secret that they read has a newer version';
  }
}
