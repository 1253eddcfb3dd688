/**
 * Decisions on workloads with more in them than is reviewed: nothing is injected and nothing restored, and all that counts
 * is which policy applies. Pure.
 */
import { asObject, asString, own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { templateOf } from '../kinds.ts';
import type { Kinds, WorkloadKind } from '../kinds.ts';
import { oversizedOf } from '../oversized.ts';
import type { Oversized } from '../oversized.ts';
import { choose, isUsable } from '../policy/governing.ts';
import { matchingRules } from '../policy/match.ts';
import type { Governor } from '../policy/rule.ts';
import { annotation, asBoolean } from './annotations.ts';
import { excessOfElements } from './budget.ts';
import { hold, workloadTooLarge } from './hold.ts';
import type { Details, MutationResult } from './outcome.ts';
import { annotationsOf, labelsOf } from './pod.ts';
import { result } from './result.ts';

/** What else a decision looks at; of a MutationInput. */
export interface Circumstances {
  readonly kind: WorkloadKind;
  readonly kinds?: Kinds;
  /** The workload as it is stored, if it is being updated. */
  readonly stored?: unknown;
  readonly detailed?: boolean;
}

/** Decides on a workload that is too large to be looked at: all that counts is whether it is to be injected. */
export function leaveAlone(
  excess: string,
  matching: readonly Governor[],
  workload: RawObject,
  template: RawObject,
  { kind, kinds, stored, detailed = false }: Circumstances,
): MutationResult {
  const wish = (key: string): string | undefined =>
    [template, workload].map((holder) => asString(own(annotationsOf(holder), key))?.trim()).find(Boolean);
  const rule = choose(matching, wish(annotation.policy));
  const inject = asBoolean(wish(annotation.inject) ?? '');
  if (rule === undefined) return result('NoPolicy', {});
  const details = detailed ? detailsOf(rule, matching) : undefined;
  if (inject === false) return result('Excluded', { rule, details, exclusion: 'AnnotatedFalse' });
  if (isUsable(rule) && rule.when === 'Annotation' && inject !== true) {
    return result('Excluded', { rule, details, exclusion: 'AnnotationMissing' });
  }
  // ten times as fast as equal(), and the API server writes what is equal in the same order
  const before = templateOf(kind, asObject(stored), kinds);
  const isChanged = before === undefined || JSON.stringify(template) !== JSON.stringify(before);
  return hold(rule, workloadTooLarge(excess, rule), isChanged, [], details);
}

/**
 * Decides on a workload that was too large to be read at all. What its template or its labels would say about injection is
 * not known, so a policy that may apply does; one with failurePolicy Fail comes first.
 */
export function leaveUnread(
  { hasLabels, template }: Oversized,
  governors: readonly Governor[],
  workload: RawObject,
  { kind, stored, detailed = false }: Circumstances,
): MutationResult {
  const matching = hasLabels
    ? matchingRules(governors, kind, labelsOfWorkload(workload))
    : governors.filter(({ targets }) => targets.includes(kind));
  const rule = matching.find(({ failurePolicy }) => failurePolicy === 'Fail') ?? matching[0];
  if (rule === undefined) return result('NoPolicy', {});
  const details = detailed ? detailsOf(rule, matching) : undefined;
  const before = oversizedOf(asObject(stored) ?? {});
  return hold(rule, workloadTooLarge(excessOfElements(), rule), before?.template !== template, [], details);
}

function detailsOf(rule: Governor, matching: readonly Governor[]): Details {
  const yielding = matching.filter((other) => other !== rule).map((other) => other.policy.name);
  return { unwrapped: [], isTraced: false, faults: [], reads: [], yielding };
}

/** Returns the labels that selectors look at. A value that is no string equals none that a selector names. */
export function labelsOfWorkload(workload: RawObject): Readonly<Record<string, string>> {
  return (labelsOf(workload) ?? {}) as Readonly<Record<string, string>>;
}
