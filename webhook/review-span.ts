/** What the trace of a review says: the same names as the log, and nothing else of the object. */
import { kindOf } from '../core/kinds.ts';
import type { Kinds } from '../core/kinds.ts';
import { workloadAttributes } from '../core/spans.ts';
import type { SpanAttributes } from '../core/spans.ts';
import type { Span } from '../kube/tracer.ts';
import type { Entry } from './configuration/configuration.ts';
import type { ReviewRequest } from './review.ts';

/** Returns the attributes that are known before anything is decided. */
export function whatIsReviewed(entry: Entry, request: ReviewRequest, bytes: number, kinds?: Kinds): SpanAttributes {
  const { uid, operation, kind, namespace, name, dryRun } = request;
  const known = kindOf(kind.group, kind.version, kind.kind, kinds);
  return {
    ...(known === undefined ? { 'k8s.namespace.name': namespace } : workloadAttributes(known, namespace, name)),
    'vaultinjection.entry': entry,
    'vaultinjection.operation': operation,
    'vaultinjection.dry_run': dryRun,
    'vaultinjection.review.uid': uid,
    'vaultinjection.review.bytes': bytes,
  };
}

/** Ends the span of a review that is answered; returns the answer. */
export function endOfReview<A extends { readonly status: number }>(span: Span, answer: A): A {
  span.set({ 'http.response.status_code': answer.status });
  if (answer.status !== 200) span.fail(String(answer.status));
  span.end();
  return answer;
}
