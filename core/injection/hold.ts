/**
 * Leaving a workload as it is although a policy applies: the policy cannot be used, or the workload is too large to be
 * looked at. Nothing is injected, and nothing restored. Pure.
 */
import type { Governor, UnusablePolicy } from '../policy/rule.ts';
import type { Denial, Details, MutationResult } from './outcome.ts';
import { denied, result } from './result.ts';

/** Why nothing is injected by a policy that applies, and nothing restored because of it. */
export interface Hold {
  readonly held: Denial;
  /** The end of the message of a refusal: what to do. */
  readonly advice: string;
  readonly warning: string;
  /** For the audit log. */
  readonly reason: string;
}

/** Leaves a workload as it is. Under Fail a template that is stored already may stay; every other one is refused. */
export function hold(
  rule: Governor,
  { held, advice, warning, reason }: Hold,
  isChanged: boolean,
  warnings: readonly string[],
  details: Details | undefined,
): MutationResult {
  if (rule.failurePolicy === 'Fail' && isChanged) {
    return denied({ ...held, message: `${held.message}; ${advice}` }, { rule, warnings, details });
  }
  return result('Unchanged', { rule, warnings: [warning, ...warnings], reason, held, details });
}

export function unusable({ policy, fault }: UnusablePolicy): Hold {
  return {
    held: { reason: 'PolicyUnusable', message: `policy ${policy.name} cannot be used: ${fault}` },
    advice: 'correct the policy, set its spec.suspend to true, or delete it; until then what it selects is refused',
    warning: `policy ${policy.name} cannot be used: nothing is injected or restored; see its condition Accepted`,
    reason: 'the policy cannot be used',
  };
}

export function workloadTooLarge(excess: string, { policy }: Governor): Hold {
  return {
    held: { reason: 'WorkloadTooLarge', message: `policy ${policy.name} does not inject it: ${excess}` },
    advice: 'split the workload, or have its labels exclude it from the policy',
    warning: `policy ${policy.name} injects and restores nothing here: ${excess}`,
    reason: 'the workload is too large',
  };
}
