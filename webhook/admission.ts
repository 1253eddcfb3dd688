import type { Logger } from '../operator/log.ts';
import type { RuleSnapshot, WorkloadKind } from '../operator/policies/rule.ts';
import type { MutationInput } from './injection/mutate.ts';
import type { MutationResult, Outcome } from './injection/outcome.ts';
import type { Entry, WebhookMetrics } from './metrics.ts';
import { BadReview, decodeReview, encodeReview } from './review.ts';
import type { ReviewRequest, ReviewResponse } from './review.ts';

export interface AdmissionOptions {
  /** The rules of this moment; asked once per review. */
  readonly rules: () => RuleSnapshot;
  /** The pure core: mutateWorkload of injection/mutate.ts. */
  readonly mutate: (input: MutationInput) => MutationResult;
  readonly metrics: WebhookMetrics;
  readonly logger: Logger;
  /** Told after each review that was decided on (not for dry runs, which change nothing). */
  readonly onReviewed?: (namespace: string, outcome: ReviewOutcome) => void;
}

/** Skipped: no Deployment or StatefulSet, or nothing that is to be stored. */
export type ReviewOutcome = Outcome | 'Skipped';

/** An HTTP answer. */
export interface Answer {
  readonly status: number;
  readonly contentType: 'application/json' | 'text/plain; charset=utf-8';
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Decides on one review: the request's body in, the answer out. Synchronous, without I/O, never throws. */
export type Admission = (entry: Entry, body: Buffer) => Answer;

/** Joins the codec with the pure core. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { metrics, logger } = options;
  return (entry, body) => {
    const started = performance.now();
    let request: ReviewRequest | undefined;
    try {
      request = decodeReview(body);
      const { outcome, response, policy, reason } = decide(request, options);
      const json = encodeReview(response);
      const ms = performance.now() - started;
      metrics.reviewed(entry, request.operation, outcome, ms / 1000);
      const { uid, namespace, name } = request;
      const line = { uid, namespace, kind: request.kind.kind, name, policy, outcome, ms: Math.round(ms * 1000) / 1000 };
      if (reason === undefined) logger.debug(line, 'reviewed');
      else logger.info({ ...line, reason }, 'denied');
      if (!request.dryRun) options.onReviewed?.(namespace, outcome);
      return { status: 200, contentType: 'application/json', body: json };
    } catch (error) {
      if (error instanceof BadReview) return plain(error.status, error.message);
      return failed(error, request, entry, options, (performance.now() - started) / 1000);
    }
  };
}

interface Decision {
  readonly outcome: ReviewOutcome;
  readonly response: ReviewResponse;
  readonly policy?: string | undefined;
  /** Why it was denied. */
  readonly reason?: string;
}

function decide(request: ReviewRequest, options: AdmissionOptions): Decision {
  const { uid, namespace, name, object } = request;
  const kind = workloadKind(request);
  // the configuration asks for neither; somebody else's might send them here
  if (kind === undefined || object === undefined) return { outcome: 'Skipped', response: { uid, allowed: true } };
  const result = options.mutate({ kind, namespace, name, object, rules: options.rules() });
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

function workloadKind({ kind, operation }: ReviewRequest): WorkloadKind | undefined {
  if (operation !== 'CREATE' && operation !== 'UPDATE') return undefined;
  if (kind.group !== 'apps' || kind.version !== 'v1') return undefined;
  return kind.kind === 'Deployment' || kind.kind === 'StatefulSet' ? kind.kind : undefined;
}

function auditOf({ audit, policy, outcome }: MutationResult): Record<string, string> {
  if (policy === undefined) return { result: outcome, ...audit };
  return { result: outcome, policy: policy.name, generation: String(policy.generation), ...audit };
}

/**
 * A defect of this program. HTTP 500 lets the failurePolicy of the entry decide, as the policy's author chose;
 * the log gets the error's kind and place, not its message, which may quote the object.
 */
function failed(
  error: unknown,
  request: ReviewRequest | undefined,
  entry: Entry,
  { metrics, logger }: AdmissionOptions,
  seconds: number,
): Answer {
  metrics.reviewed(entry, request?.operation ?? 'other', 'Error', seconds);
  const { uid, namespace, name } = request ?? {};
  logger.error({ uid, namespace, kind: request?.kind.kind, name, ...placeOf(error) }, 'review failed');
  return plain(500, 'internal error: the review could not be decided on; see the log of the operator for its uid');
}

function placeOf(error: unknown): { error: string; at: string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] };
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
  return { error: error.name, at: frames.slice(0, 5).map((line) => line.trim()) };
}

/** An answer of one line of text. */
export function plain(status: number, message: string, headers?: Readonly<Record<string, string>>): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${message}\n`, ...(headers && { headers }) };
}
