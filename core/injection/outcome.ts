import type { ReasonOf } from '../reasons.ts';
import { shownText } from '../shown.ts';
import type { ImageNeeds } from './images.ts';
import type { JsonPatchOperation } from './patch.ts';
import type { SourceNeeds } from './sources.ts';

/**
 * - Injected: the template is injected as the policy says, and was not before
 * - Restored: what an earlier injection added is removed, because nothing asks for it any more
 * - Unchanged: a policy applies, and the template is already as it should be
 * - NoPolicy: no policy matches this workload
 * - Excluded: an annotation opts the workload out (or, with `when: Annotation`, none opts it in)
 * - Denied: the workload must not be admitted as it is
 */
export type Outcome = 'Injected' | 'Restored' | 'Unchanged' | 'NoPolicy' | 'Excluded' | 'Denied';

/** Why a workload is denied; the code is for programs, the message for the kubectl user. */
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

/** Why vault-env would refuse to start a program. */
export interface StartFault {
  readonly reason: Extract<ReasonOf<'Workload'>, 'ReferenceMalformed' | 'TransitKeyMissing'>;
  /** Names container and variable, and what to write instead; never a value. */
  readonly message: string;
}

/** What the inventory needs in addition to the result of an admission. */
export interface Details {
  /** Names of containers that should be wrapped and are not. */
  readonly unwrapped: readonly string[];
  /** The template holds something of an earlier injection. */
  readonly isTraced: boolean;
  /** Why programs of the wrapped containers would not start. */
  readonly faults: readonly StartFault[];
  /** Names of the policies that also match, but lose. */
  readonly yielding: readonly string[];
  /** Paths whose newest version the wrapped containers read, each once. */
  readonly reads: readonly string[];
  /** Those of `reads` that only ConfigMaps name. */
  readonly hiddenReads?: readonly string[];
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
  /** Set if the policy that applies cannot be used and ignores failures: the workload is admitted as it is. */
  readonly held?: Denial;
  /** Set if the outcome is Excluded, or if a policy applies that finds nothing to inject. */
  readonly exclusion?: Exclusion;
  /** Set if they were requested and a policy applies. */
  readonly details?: Details;
  /** What would have to be looked up for a better result; absent if nothing would. */
  readonly needs?: ImageNeeds;
  /** The same for objects that the environment comes from. */
  readonly sourceNeeds?: SourceNeeds;
}

// admission.k8s.io/v1: "Limit warnings to 120 characters if possible"
const MAX_WARNING_LENGTH = 120;
// The API server cuts the warnings of a response at 4096 bytes in total; ten with non-ASCII names may still fit.
const MAX_WARNINGS = 10;

/** Returns each warning once, short, as shownText() shows it (the API server rejects control characters), and not too many. */
export function boundedWarnings(warnings: readonly string[]): readonly string[] {
  if (warnings.length === 0) return warnings;
  const texts = [...new Set(warnings.map((text) => shownText(text, MAX_WARNING_LENGTH)))];
  const more = texts.length - MAX_WARNINGS;
  return more > 0 ? [...texts.slice(0, MAX_WARNINGS), `… and ${more} more`] : texts;
}
