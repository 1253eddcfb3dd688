import type { ReasonOf } from '../reasons.ts';
import type { ImageNeeds } from './images.ts';
import type { JsonPatchOperation } from './patch.ts';
import type { SourceNeeds } from './sources.ts';

/**
 * - Injected: the template is injected as the policy says, and was not so before
 * - Restored: what an earlier injection added is taken out, because nothing asks for it any more
 * - Unchanged: a policy counts, and the template is already as it should be
 * - NoPolicy: no policy is for this workload
 * - Excluded: an annotation keeps the workload out (or, with `when: Annotation`, none lets it in)
 * - Denied: the workload must not be admitted as it is
 */
export type Outcome = 'Injected' | 'Restored' | 'Unchanged' | 'NoPolicy' | 'Excluded' | 'Denied';

/** Why a workload is denied; the code is for machines, the message for the person at kubectl. */
export interface Denial {
  readonly reason: Extract<ReasonOf<'Admission'>, ReasonOf<'Workload'>>;
  readonly message: string;
}

/** A container that was left alone although the policy wants it injected. */
export interface Skipped extends Denial {
  readonly name: string;
}

/** Why a workload that a policy matches is not injected, and nothing is wrong with it. */
export type Exclusion = Exclude<ReasonOf<'Workload'>, ReasonOf<'Event'>>;

/** What the inventory wants to know beside the answer of an admission. */
export interface Details {
  /** Names of containers that should be wrapped and are not. */
  readonly unwrapped: readonly string[];
  /** Names of the policies that match as well, and lose. */
  readonly yielding: readonly string[];
  /** Paths that the wrapped containers read in their newest version, each once. */
  readonly reads: readonly string[];
}

export interface MutationResult {
  readonly outcome: Outcome;
  readonly denial?: Denial;
  /** Operations on the whole object; all of them are in its pod template. */
  readonly patch: readonly JsonPatchOperation[];
  readonly warnings: readonly string[];
  readonly policy?: { readonly name: string; readonly generation: number };
  /** Audit annotations, without the webhook's name. */
  readonly audit: Readonly<Record<string, string>>;
  /** Names of the containers that are wrapped now. */
  readonly wrapped: readonly string[];
  readonly skipped: readonly Skipped[];
  /** Set where the outcome is Excluded, and where a policy counts that finds nothing to inject. */
  readonly exclusion?: Exclusion;
  /** Where they were asked for and a policy counts. */
  readonly details?: Details;
  /** What would have to be known for a better result than this one; absent where nothing would. */
  readonly needs?: ImageNeeds;
  /** The same of objects that environment comes from. */
  readonly sourceNeeds?: SourceNeeds;
}

// admission.k8s.io/v1: "Limit warnings to 120 characters if possible"
const MAX_WARNING_LENGTH = 120;
// The API server cuts all warnings of a response at 4096 bytes together; ten with non-ASCII names may still fit.
const MAX_WARNINGS = 10;

/** Each warning once, short, without control characters (which the API server refuses), and not too many. */
export function boundedWarnings(warnings: readonly string[]): readonly string[] {
  if (warnings.length === 0) return warnings;
  const texts = [...new Set(warnings.map(shortened))];
  const more = texts.length - MAX_WARNINGS;
  return more > 0 ? [...texts.slice(0, MAX_WARNINGS), `… and ${more} more`] : texts;
}

function shortened(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ').toWellFormed();
  return clean.length > MAX_WARNING_LENGTH ? `${clean.slice(0, MAX_WARNING_LENGTH - 1).toWellFormed()}…` : clean;
}
