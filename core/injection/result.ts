/** Puts together what admission and inventory get to know about one workload. Pure. */
import type { Governor } from '../policy/rule.ts';
import type { ImageNeeds } from './images.ts';
import { boundedWarnings } from './outcome.ts';
import type { Denial, Details, Exclusion, MutationResult, Outcome, Skipped } from './outcome.ts';
import type { JsonPatchOperation } from './patch.ts';
import type { SourceNeeds } from './sources.ts';

const NOTHING: readonly JsonPatchOperation[] = [];
const NONE: readonly never[] = [];

/** What a result says besides its outcome and patch. */
export interface About {
  readonly rule?: Governor | undefined;
  readonly held?: Denial;
  readonly reason?: string | undefined;
  readonly exclusion?: Exclusion;
  /** Why references stay text, as the end of a sentence; left out if every container's warning says it. */
  readonly literal?: string;
  readonly wrapped?: readonly string[];
  readonly skipped?: readonly Skipped[];
  readonly details?: Details | undefined;
  readonly needs?: ImageNeeds | undefined;
  readonly sourceNeeds?: SourceNeeds | undefined;
}

/** Returns the result for a workload that must not be admitted as it is. */
export function denied(denial: Denial, about: About & { readonly warnings?: readonly string[] } = {}): MutationResult {
  return { ...result('Denied', { ...about, reason: denial.reason }), denial };
}

/** Returns a result; what is left out is nothing. */
export function result(
  outcome: Outcome,
  about: About & { readonly patch?: readonly JsonPatchOperation[]; readonly warnings?: readonly string[] },
): MutationResult {
  const {
    patch = NOTHING,
    warnings = [],
    rule,
    held,
    reason,
    wrapped = NONE,
    skipped = NONE,
    exclusion,
    details,
    needs,
    sourceNeeds,
  } = about;
  const policy = rule && { name: rule.policy.name, generation: rule.policy.generation };
  return {
    outcome,
    patch,
    warnings: boundedWarnings(warnings),
    ...(policy ? { policy } : {}),
    wrapped,
    skipped,
    ...(held === undefined ? {} : { held }),
    ...(exclusion === undefined ? {} : { exclusion }),
    ...(details === undefined ? {} : { details }),
    ...(needs === undefined ? {} : { needs }),
    ...(sourceNeeds === undefined ? {} : { sourceNeeds }),
    audit: {
      result: outcome,
      ...(policy ? { policy: policy.name, generation: String(policy.generation) } : {}),
      ...(reason === undefined ? {} : { reason }),
      ...(wrapped.length === 0 ? {} : { containers: wrapped.join(',') }),
    },
  };
}
