/**
 * How a workload stands to the rules: what admission would do to it now, decided by the same function. Pure; it depends
 * on the workload and the rules alone, so it is the same after a restart of the operator.
 */
import type { ImageNeeds, KnownImages } from '../injection/images.ts';
import type { RawObject } from '../json.ts';
import { templateIn } from '../kinds.ts';
import type { Kinds } from '../kinds.ts';
import { mutateWorkload } from '../injection/mutate.ts';
import { annotation } from '../injection/annotations.ts';
import { EXECUTABLE } from '../injection/names.ts';
import type { MutationResult } from '../injection/outcome.ts';
import { annotationsOf } from '../injection/pod.ts';
import type { KnownSources, SourceNeeds } from '../injection/sources.ts';
import { governorsOf, isUsable } from '../policy/governing.ts';
import type { VaultInjectionPolicyStatus } from '../policy/policy.generated.ts';
import type { Governor, Rule, RuleSnapshot } from '../policy/rule.ts';
import type { ReasonCode } from '../reasons.ts';
import { isNewcomerTo } from './newcomers.ts';
import { applyCommand } from './request.ts';
import type { Workload } from './workload.ts';

export type State = NonNullable<VaultInjectionPolicyStatus['attention']>[number]['state'];

export interface StateRow {
  /** How soon somebody should look at such a workload, 0 first; left out if nobody needs to. */
  readonly urgency?: number;
  /** Whether an Event reports it: the other states are intended. */
  readonly isTold: boolean;
}

export const STATES: Readonly<Record<State, StateRow>> = {
  /** As the policy wants it. */
  Injected: { isTold: false },
  /** Injected, but not as it would be now. */
  Outdated: { urgency: 3, isTold: false },
  /** A container that should be injected is not. */
  Missed: { urgency: 2, isTold: true },
  /** Admission would refuse the workload as it is stored. */
  Denied: { urgency: 0, isTold: true },
  /** A container cannot be injected, and the policy ignores failures. */
  Failed: { urgency: 1, isTold: true },
  Excluded: { isTold: false },
};

export const STATE_NAMES = Object.keys(STATES) as readonly State[];

export interface Standing {
  readonly state: State;
  /** Why, if the state does not say it all. */
  readonly reason?: ReasonCode;
  readonly message?: string;
  /** The policy that applies. */
  readonly policy: {
    readonly name: string;
    readonly uid: string;
    /** Of its rule; '' if the policy cannot be used. */
    readonly hash: string;
  };
  /** Names of policies that also match, but lose. */
  readonly yielding: readonly string[];
  /** Paths whose new versions change what the programs see. */
  readonly reads: readonly string[];
  /** Those of `reads` that only ConfigMaps name, which no text shows; left out if there are none. */
  readonly hiddenReads?: readonly string[];
  /** An object that cannot be read may name more of them. */
  readonly isPartial?: true;
  /** Images that have to be looked up. */
  readonly needs?: ImageNeeds;
  /** ConfigMaps and Secrets that have to be read. */
  readonly sourceNeeds?: SourceNeeds;
  /** The operator wants its pods restarted, and the template does not say so yet. */
  readonly restartPending: boolean;
}

/**
 * Returns undefined if no policy matches.
 *
 * @param object the raw object that `workload` was made of
 */
export function standingOf(
  workload: Workload,
  object: RawObject,
  rules: RuleSnapshot,
  known: { readonly images?: KnownImages; readonly sources?: KnownSources; readonly kinds?: Kinds } = {},
): Standing | undefined {
  const { kind, metadata } = workload;
  const { namespace, name } = metadata;
  const input = { kind, namespace, name, object, rules, detailed: true, ...known };
  const result = mutateWorkload(input);
  const governors = governorsOf(rules, namespace);
  const governor = governors.find(({ policy }) => policy.name === (result.policy?.name ?? firstOf(result)));
  if (governor === undefined) return undefined;
  const { policy } = governor;
  const { hiddenReads = [] } = result.details ?? {};
  return {
    ...judged(result, workload, governor),
    policy: { name: policy.name, uid: policy.uid, hash: isUsable(governor) ? governor.hash : '' },
    yielding: (result.details?.yielding ?? []).filter((other) => other !== policy.name),
    reads: result.details?.reads ?? [],
    ...(hiddenReads.length > 0 && { hiddenReads }),
    ...(result.needs && { needs: result.needs }),
    ...(result.sourceNeeds && { sourceNeeds: result.sourceNeeds }),
    restartPending: isRestartPending(workload, object, result),
  };
}

/**
 * If a workload names a policy that does not match it, the policies that do match do not get it: the first of them
 * reports.
 */
function firstOf({ exclusion, details }: MutationResult): string | undefined {
  return exclusion === 'OtherPolicyNamed' ? details?.yielding[0] : undefined;
}

type Verdict = Pick<Standing, 'state' | 'reason' | 'message'>;

function judged(result: MutationResult, workload: Workload, governor: Governor): Verdict {
  const { outcome, patch, denial, held, exclusion, wrapped, skipped, details } = result;
  if (workload.rollout.finished === true) {
    return details?.isTraced === true ? { state: 'Injected' } : { state: 'Excluded', reason: 'Finished' };
  }
  if (denial !== undefined) return { state: 'Denied', reason: denial.reason, message: denial.message };
  if (held !== undefined) return { state: 'Failed', reason: held.reason, message: held.message };
  const how = wayOut(workload, governor);
  if (details !== undefined && details.unwrapped.length > 0) {
    const names = details.unwrapped.join(', ');
    const isNew = isUsable(governor) && isNewcomerTo(governor, workload, details);
    return (
      faulty('Missed', result, 'not injected') ??
      (isNew
        ? {
            state: 'Missed',
            reason: 'NotAdopted',
            message: `ran before the policy, not injected: container ${names}; ${how}`,
          }
        : { state: 'Missed', reason: 'NotInjected', message: `not injected: container ${names}${lastWay(workload)}` })
    );
  }
  const isUnwanted = outcome === 'Excluded' || exclusion !== undefined;
  if (patch.length > 0) {
    return isUnwanted
      ? { state: 'Outdated', reason: 'ToBeRestored', message: `injected, and nothing asks for it any more; ${how}` }
      : (faulty('Outdated', result, 'not brought up to date') ?? {
          state: 'Outdated',
          reason: 'InjectionChanged',
          message: `injected differently than the policy and the injector say now; ${how}`,
        });
  }
  const [failure] = skipped;
  if (failure !== undefined) return { state: 'Failed', reason: failure.reason, message: failure.message };
  if (isUnwanted) return { state: 'Excluded', ...(exclusion && { reason: exclusion }) };
  if (wrapped.length === 0) return { state: 'Excluded', reason: 'NothingToInject' };
  return faulty('Injected', result, 'new pods do not start') ?? refusedBecauseOfUs(workload) ?? { state: 'Injected' };
}

/** The container, the volumes and the paths that injection adds all begin with the name of the executable. */
function refusedBecauseOfUs({ rollout: { refused } }: Workload): Verdict | undefined {
  if (refused?.includes(EXECUTABLE) !== true) return undefined;
  return { state: 'Injected', reason: 'PodsRefused', message: `its pods cannot be created: ${refused}` };
}

/** New pods are known to fail: the reason says what to correct, because nothing else would help. */
function faulty(state: State, { details }: MutationResult, outcome: string): Verdict | undefined {
  const [first, ...others] = details?.faults ?? [];
  if (first === undefined) return undefined;
  const more = others.length > 0 ? ` (and ${others.length} more)` : '';
  return { state, reason: first.reason, message: `${outcome}: ${first.message}${more}` };
}

/** Returns what brings a workload up to date that the operator leaves to the policy's rollout. */
function wayOut({ kind, traits, metadata, rollout }: Workload, governor: Governor): string {
  if (!traits.templateMayChange) return RECREATE;
  if (!traits.replacesPods && rollout.onDelete)
    return `${applyCommand(kind, metadata)} changes its template, and pods that are created after that have it`;
  if (!traits.replacesPods) return 'the operator has it injected so, and pods that start after that have it';
  const isAutomatic = isUsable(governor) && governor.rollout.strategy === 'Automatic';
  const isInTurn = isAutomatic && !rollout.paused && !rollout.onDelete;
  if (isInTurn) return 'rolled out in its turn (rollout.strategy is Automatic)';
  return `${applyCommand(kind, metadata)} replaces its pods`;
}

const RECREATE = 'its template cannot change: delete it, and create it again';

/** Returns what people can do where the operator can do nothing. */
function lastWay({ traits }: Workload): string {
  return traits.templateMayChange ? '' : `; ${RECREATE}`;
}

/** Whether it ran before the policy and has never been injected. */
export function isNewcomer({ reason }: Pick<Standing, 'reason'>): boolean {
  return reason === 'NotAdopted';
}

/** Whether it is left to the policy's rollout: it works as it is, with what the policy said before, or without. */
export function isBehind(standing: Pick<Standing, 'state' | 'reason'>): boolean {
  return standing.state === 'Outdated' || isNewcomer(standing);
}

/** Whether its programs are known not to start as the policy wants them to: nobody may replace pods for that. */
export function willNotStart({ reason }: Pick<Standing, 'reason'>): boolean {
  return reason === 'ReferenceMalformed' || reason === 'TransitKeyMissing';
}

function isRestartPending(workload: Workload, object: RawObject, { wrapped }: MutationResult): boolean {
  const wanted = workload.annotations[annotation.restart];
  if (wanted === undefined || wrapped.length === 0) return false;
  const template = templateIn(workload.traits, object);
  return /^[0-9a-f]{12}$/.test(wanted) && annotationsOf(template)?.[annotation.restart] !== wanted;
}

/** Whether somebody should know of it although it is injected. */
export function isToldOf(standing: Pick<Standing, 'reason'>): boolean {
  return willNotStart(standing) || standing.reason === 'PodsRefused' || standing.reason === 'WorkloadTooLarge';
}

/** Returns the rule that a standing refers to, if it is still in force. */
export function ruleOf(standing: Standing, rules: readonly Rule[]): Rule | undefined {
  return rules.find(({ policy }) => policy.name === standing.policy.name && policy.uid === standing.policy.uid);
}
