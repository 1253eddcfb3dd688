import type { Clock } from '../kube/clock.ts';
import { systemClock } from '../kube/clock.ts';
import type { Logger } from '../kube/log.ts';
import { NO_TRACER } from '../kube/tracer.ts';
import type { Span, Tracer } from '../kube/tracer.ts';
import { kindOf } from '../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../core/kinds.ts';
import type { RuleSnapshot } from '../core/policy/rule.ts';
import { asObject, asString } from '../core/json.ts';
import { SHORT_JSON } from '../core/json-trim.ts';
import { shownText } from '../core/shown.ts';
import type { MutationInput } from '../core/injection/mutate.ts';
import type { Denial, MutationResult, Outcome, Skipped } from '../core/injection/outcome.ts';
import { DecisionLog } from './decision-log.ts';
import { createLookUps } from './look-ups.ts';
import type { Ask, Known, LookUps } from './look-ups.ts';
import type { Entry } from './configuration/configuration.ts';
import type { WebhookMetrics } from './metrics.ts';
import { endOfReview, whatIsReviewed } from './review-span.ts';
import { BadReview, decodeLargeReview, decodeReview, encodeReview } from './review.ts';
import type { ReviewRequest, ReviewResponse } from './review.ts';

export interface AdmissionOptions {
  /** Those that the operator knows (default: the built-in ones). */
  readonly kinds?: Kinds;
  /** Returns the current rules; called once per review. */
  readonly rules: () => RuleSnapshot;
  /** The pure core: mutateWorkload of injection/mutate.ts. */
  readonly mutate: (input: MutationInput) => MutationResult;
  readonly metrics: WebhookMetrics;
  readonly logger: Logger;
  /** For how many lines of the log there are in a minute. */
  readonly clock?: Pick<Clock, 'elapsed'>;
  /** Look up what images start, and what objects contain; left out if there are none. */
  readonly lookUps?: LookUps;
  /** Called after each decided review (not for dry runs and objects without a valid name, which change nothing). */
  readonly onReviewed?: (reviewed: Reviewed) => void;
  /** Returns why this replica knows too little to decide on a review; undefined: it knows enough. */
  readonly ignorance?: (entry: Entry, namespace: string) => string | undefined;
  /** Default: none. */
  readonly tracer?: Tracer;
}

/** Skipped: not a workload, or a request that stores none. */
export type ReviewOutcome = Outcome | 'Skipped';

/** What was decided about one object. Contains nothing of the object but the names of skipped containers. */
export interface Reviewed {
  /** As policies name it; from the request if the outcome is Skipped. */
  readonly kind: string;
  readonly namespace: string;
  /** Its generateName if it has no name yet. */
  readonly name: string;
  /** Undefined while it is being created. */
  readonly uid?: string;
  readonly operation: string;
  readonly outcome: ReviewOutcome;
  /** The policy that applies. */
  readonly policy?: { readonly name: string; readonly generation: number };
  readonly denial?: Denial;
  /** Why nothing was injected by a policy that ignores failures. */
  readonly held?: Denial;
  /** It came injected, as the policy wants it: as a second review of the same request does. */
  readonly cameInjected?: true;
  readonly skipped: readonly Skipped[];
}

/** An HTTP response. */
export interface Answer {
  readonly status: number;
  readonly contentType: 'application/json' | 'text/plain; charset=utf-8';
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Decides on one review: takes the request's body, returns the response. Synchronous and without I/O, unless it is large,
 * only a registry knows a container's program, its environment comes from ConfigMaps and Secrets, or its ServiceAccount
 * decides whether it gets a token. Neither throws nor rejects.
 *
 * `traceparent` is the header by which an API server says which of its spans the review is part of.
 */
export type Admission = (
  entry: Entry,
  body: Buffer,
  traceparent?: string | readonly string[],
) => Answer | Promise<Answer>;

// First for all that a review needs, then for the images of containers that are wrapped because of an object.
const QUESTIONS = 2;

interface Review {
  readonly entry: Entry;
  /** Milliseconds, from performance.now(). */
  readonly started: number;
  readonly span: Span;
  request?: ReviewRequest;
}

/** Joins the codec with the pure core. */
export function createAdmission(settings: AdmissionOptions): Admission {
  const { clock = systemClock, logger, tracer = NO_TRACER } = settings;
  const options = { ...settings, decisions: new DecisionLog({ clock, logger }) };
  const lookUps = createLookUps(options.lookUps ?? {}, () => options.metrics.bounded('Waiting'));
  const admit = (entry: Entry, body: Buffer, span: Span): Answer | Promise<Answer> => {
    const review: Review = { entry, started: performance.now(), span };
    const failure = (error: unknown): Answer =>
      error instanceof BadReview ? plain(error.status, error.message) : failed(error, review, options);
    const decideFor = (request: ReviewRequest): Answer | Promise<Answer> => {
      review.request = request;
      if (span.isRecorded) span.set(whatIsReviewed(entry, request, body.length, options.kinds));
      const ignorance = options.ignorance?.(entry, request.namespace);
      if (ignorance !== undefined) return postponed(ignorance, review, options);
      const input = inputOf(request, options, body.length);
      // our configuration sends no others, but somebody else's might
      if (input === undefined) return answer(review, request, SKIPPED, options);
      const decided = decideOn(input, options, lookUps(request.namespace, body.length, span));
      if (!(decided instanceof Promise)) return answer(review, request, decided, options);
      return decided.then((result) => answer(review, request, result, options)).catch(failure);
    };
    if (body.length >= SHORT_JSON) return decodeLargeReview(body).then(decideFor).catch(failure);
    try {
      return decideFor(decodeReview(body));
    } catch (error) {
      return failure(error);
    }
  };
  return (entry, body, traceparent) => {
    const span = tracer.start('review', traceparent);
    const answered = admit(entry, body, span);
    if (!span.isRecorded) return answered;
    return answered instanceof Promise ? answered.then((late) => endOfReview(span, late)) : endOfReview(span, answered);
  };
}

/** Uses the rules of the first look, because the look-up was for them. */
function decideOn(
  input: MutationInput,
  options: AdmissionOptions,
  ask: Ask,
  questions = QUESTIONS,
): MutationResult | Promise<MutationResult> {
  const result = options.mutate(input);
  const isSettled = result.needs === undefined && result.sourceNeeds === undefined;
  const known = isSettled || questions === 0 ? undefined : ask(result, input);
  if (known === undefined) return result;
  const again = (now: Known): MutationResult | Promise<MutationResult> =>
    decideOn({ ...input, ...now }, options, ask, questions - 1);
  return known instanceof Promise ? known.then(again) : again(known);
}

function inputOf(
  request: ReviewRequest,
  { rules, kinds }: AdmissionOptions,
  characters: number,
): MutationInput | undefined {
  const { namespace, name, object, stored } = request;
  const kind = workloadKind(request, kinds);
  if (kind === undefined || object === undefined) return undefined;
  const input = { kind, namespace, name, object, rules: rules(), characters };
  return { ...input, ...(kinds && { kinds }), ...(stored && { stored }) };
}

/** Reports the result to metrics, log and onReviewed, and returns it as a response for the API server. */
function answer(
  { entry, started, span }: Review,
  request: ReviewRequest,
  result: MutationResult | typeof SKIPPED,
  { kinds, metrics, decisions, onReviewed }: AdmissionOptions & { readonly decisions: DecisionLog },
): Answer {
  const { outcome, response, policy, reason } = decide(request.uid, result);
  const json = encodeReview(response);
  const ms = performance.now() - started;
  metrics.reviewed(entry, request.operation, outcome, ms / 1000);
  const { uid, namespace, name, operation, dryRun } = request;
  const kind = workloadKind(request, kinds) ?? request.kind.kind;
  const about = { uid, namespace, kind, name, operation, dryRun, policy, reason };
  const { wrapped, patch } = result.outcome === 'Skipped' ? UNTOUCHED : result;
  decisions.note({ ...about, outcome, wrapped, isChanged: patch.length > 0, ms });
  if (span.isRecorded) {
    const decided = { 'vaultinjection.outcome': outcome, 'vaultinjection.policy.name': policy } as const;
    span.set({ ...decided, 'vaultinjection.containers.wrapped': wrapped.length });
    if (reason !== undefined) span.fail(reason);
  }
  if (reason !== undefined) metrics.denied(reason);
  if (isTooLarge(result)) metrics.bounded('Size');
  // without a name the API server refuses it: nothing has happened
  if (!request.dryRun && name !== '') onReviewed?.(reviewedOf(kind, request, result));
  return { status: 200, contentType: 'application/json', body: json };
}

function reviewedOf(
  kind: string,
  { namespace, name, operation, object }: ReviewRequest,
  result: MutationResult | typeof SKIPPED,
): Reviewed {
  const uid = asString(asObject(object?.metadata)?.uid);
  const about = { kind, namespace, name, operation, ...(uid === undefined ? {} : { uid }) };
  if (result.outcome === 'Skipped') return { ...about, outcome: 'Skipped', skipped: [] };
  const { outcome, policy, denial, held, skipped, wrapped } = result;
  const cameInjected = outcome === 'Unchanged' && wrapped.length > 0;
  return {
    ...about,
    outcome,
    skipped,
    ...(policy && { policy }),
    ...(denial && { denial }),
    ...(held && { held }),
    ...(cameInjected && { cameInjected }),
  };
}

function isTooLarge(result: MutationResult | typeof SKIPPED): boolean {
  if (result.outcome === 'Skipped') return false;
  return (result.denial ?? result.held)?.reason === 'WorkloadTooLarge';
}

interface Decision {
  readonly outcome: ReviewOutcome;
  readonly response: ReviewResponse;
  readonly policy?: string | undefined;
  /** Why it was denied. */
  readonly reason?: Denial['reason'];
}

const SKIPPED = { outcome: 'Skipped' } as const;
const UNTOUCHED = { wrapped: [], patch: [] } as const;

function decide(uid: string, result: MutationResult | typeof SKIPPED): Decision {
  if (result.outcome === 'Skipped') return { outcome: 'Skipped', response: { uid, allowed: true } };
  const { outcome, denial, warnings, policy } = result;
  const auditAnnotations = auditOf(result);
  if (denial !== undefined) {
    const status = { code: 403, reason: denial.reason, message: denial.message };
    const response = { uid, allowed: false, warnings, auditAnnotations, status };
    return { outcome, response, policy: policy?.name, reason: denial.reason };
  }
  return {
    outcome,
    response: { uid, allowed: true, patch: result.patch, warnings, auditAnnotations },
    policy: policy?.name,
  };
}

function workloadKind({ kind, operation }: ReviewRequest, kinds: Kinds | undefined): WorkloadKind | undefined {
  if (operation !== 'CREATE' && operation !== 'UPDATE') return undefined;
  return kindOf(kind.group, kind.version, kind.kind, kinds);
}

function auditOf({ audit, policy, outcome }: MutationResult): Record<string, string> {
  if (policy === undefined) return { result: outcome, ...audit };
  return { result: outcome, policy: policy.name, generation: String(policy.generation), ...audit };
}

/**
 * A bug in this program. HTTP 500 lets the failurePolicy of the entry decide, as the policy's author chose; the log
 * gets the error's kind and place, not its message, which may quote the object.
 */
function failed(
  error: unknown,
  { entry, started, request, span }: Review,
  { metrics, logger }: AdmissionOptions,
): Answer {
  metrics.reviewed(entry, request?.operation ?? 'other', 'Error', (performance.now() - started) / 1000);
  span.set({ 'vaultinjection.outcome': 'Error' });
  const { uid, namespace, name } = request ?? {};
  logger.error({ uid, namespace, kind: request?.kind.kind, name, ...placeOf(error) }, 'review failed');
  return plain(500, 'internal error: the review failed; search the log of the operator for its uid');
}

function placeOf(error: unknown): { error: string; at: string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] };
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
  return { error: error.name, at: frames.slice(0, 5).map((line) => line.trim()) };
}

// What is missing arrives by a watch, usually within milliseconds. API servers repeat up to ten times within
// timeoutSeconds; with this wait it is the time that ends, not the attempts.
const SOON = { 'Retry-After': '1', Connection: 'close' } as const;

/**
 * Asks the API server to repeat the review, here or at another replica. Never an admission: a replica that does not know
 * what the policies say would let through what they refuse.
 */
function postponed(
  why: string,
  { entry, started, request, span }: Review,
  { metrics, logger }: AdmissionOptions,
): Answer {
  metrics.reviewed(entry, request?.operation ?? 'other', 'Postponed', (performance.now() - started) / 1000);
  span.set({ 'vaultinjection.outcome': 'Postponed' });
  const { uid, namespace, name, kind } = request ?? {};
  logger.debug({ uid, namespace, kind: kind?.kind, name, why }, 'postponed');
  return plain(503, why, SOON);
}

// Of an answer in text, which API servers repeat to the user.
const LONGEST_TEXT = 1_000;

/** Returns a response with one line of text. */
export function plain(status: number, message: string, headers?: Readonly<Record<string, string>>): Answer {
  return {
    status,
    contentType: 'text/plain; charset=utf-8',
    body: `${shownText(message, LONGEST_TEXT)}\n`,
    ...(headers && { headers }),
  };
}
