import { toKubernetesTime } from '../../core/time.ts';
import { shownStatus } from './shown-status.ts';
import { CONDITION_TYPES } from '../../core/condition-types.ts';
import type { ConditionType } from '../../core/condition-types.ts';
import type { ReasonCode } from '../../core/reasons.ts';
import { equal } from '../../core/json.ts';
import type { Condition, VaultInjectionPolicyStatus } from '../../core/policy/policy.generated.ts';
import { isSameTable, tableOf } from './table.ts';
import type { TargetLack } from './target-lack.ts';
import type { TableStatus } from './table.ts';
import { isSameWorkloadStatus } from './workload-status.ts';
import type { WorkloadStatus } from './workload-status.ts';

/** What a policy's status is derived from. Collecting these facts decides nothing. */
export interface PolicyFacts {
  readonly verdict: Verdict;
  /** The generation whose rule admission uses; undefined if there is none. */
  readonly inForce: number | undefined;
  /** What its author has agreed to and everybody should know of; see consentsOf(). Default: nothing. */
  readonly consents?: readonly string[];
  /** It cannot be used, and refuses what it selects. */
  readonly refuses?: boolean;
  /** Every replica that answers reviews has it in force. */
  readonly everywhere: boolean;
  /** API servers send workloads of the namespace to the webhook. */
  readonly programmed: boolean;
  /** They never will, because the namespace is excluded. */
  readonly excluded: boolean;
  /** What somebody has added to the webhook configuration that keeps the namespace out, if there is such a term. */
  readonly excludedBy?: string | undefined;
  /** What somebody has added to it that may keep single workloads out, in words. */
  readonly narrowedBy?: string | undefined;
  /** What the webhook configuration lacks that the installer keeps. */
  readonly lacking?: string | undefined;
  /** Why nothing is injected any more, if the operator is being removed. */
  readonly leaving?: string | undefined;
  /** API servers reach the webhook. */
  readonly webhook: Statement;
  /** There is a certificate to serve. */
  readonly certificateReady: boolean;
  readonly vault: Statement;
  /** What the CRD in the cluster lacks of the operator's, in words; undefined: nothing. */
  readonly crdOutdated?: string | undefined;
  /** What keeps the operator from injecting some of the kinds that the policy names. */
  readonly targetLack?: TargetLack | undefined;
  /** Whether new versions of secrets are noticed; only if the policy asks for it. */
  readonly rotating?: Statement | undefined;
  /** Why workloads do not get to the desired state although the policy is in force. */
  readonly stalled?: Pick<Statement, 'reason' | 'message'> | undefined;
}

/** What validation and compilation say about the newest generation. */
export type Verdict =
  | { readonly ok: true; readonly suspended: boolean }
  | { readonly ok: false; readonly reason: ReasonCode; readonly message: string };

const OWN_TYPES: ReadonlySet<string> = new Set(CONDITION_TYPES);

/** A condition without its type. */
export interface Statement {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: ReasonCode;
  readonly message: string;
}

export interface DesiredCondition extends Statement {
  readonly type: ConditionType;
}

/** How vault-env gets into new pods. */
type InjectorStatus = Pick<VaultInjectionPolicyStatus, 'injector'>;

/** As in the CRD, without the fields that others write. */
export interface PolicyStatus extends WorkloadStatus, TableStatus, InjectorStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

/**
 * Returns the conditions of a policy. VaultReachable and Rotating only inform. CRDOutdated, and
 * Reconciling and Stalled of kstatus (sigs.k8s.io/cli-utils, pkg/kstatus), are present only while they are true.
 */
export function conditionsOf(facts: PolicyFacts): readonly DesiredCondition[] {
  const accepted = acceptedOf(facts);
  const programmed = programmedOf(facts);
  const certificate = certificateOf(facts);
  const ready = readyOf(facts, accepted, programmed, certificate);
  return [
    { type: 'Accepted', ...accepted },
    { type: 'Programmed', ...programmed },
    { type: 'WebhookReachable', ...facts.webhook },
    { type: 'VaultReachable', ...facts.vault },
    { type: 'CertificateReady', ...certificate },
    ...(facts.crdOutdated === undefined
      ? []
      : [{ type: 'CRDOutdated' as const, ...isTrue('CRDOutdated', facts.crdOutdated) }]),
    ...(facts.rotating === undefined ? [] : [{ type: 'Rotating' as const, ...facts.rotating }]),
    { type: 'Ready', ...ready },
    ...progressOf(facts, ready),
  ];
}

function acceptedOf({ verdict, inForce, refuses, consents }: PolicyFacts): Statement {
  if (verdict.ok) return isTrue('Accepted', ['the policy is valid', ...(consents ?? [])].join('; '));
  const unusable =
    refuses === true
      ? 'no earlier generation is known, so new workloads and changed templates are refused until this is fixed'
      : 'no earlier generation is known, so workloads stay as they are until this is fixed';
  const consequence = inForce === undefined ? unusable : `generation ${inForce} stays in force until this is fixed`;
  return isFalse(verdict.reason, `${verdict.message}; ${consequence}`);
}

function programmedOf(facts: PolicyFacts): Statement {
  const { verdict, inForce, everywhere, programmed, excluded, excludedBy, narrowedBy, lacking, leaving } = facts;
  if (verdict.ok && verdict.suspended) return isFalse('Suspended', 'the policy is suspended: nothing is injected');
  if (inForce === undefined) return isFalse('NotAccepted', 'no valid generation of the policy is known');
  if (leaving !== undefined) return isFalse('Uninstalling', leaving);
  if (excluded) return isFalse('NamespaceExcluded', 'workloads of this namespace are never injected');
  if (excludedBy !== undefined) {
    return isFalse(
      'ExcludedByPlatform',
      `somebody has added ${excludedBy} to the webhook configuration, so API servers leave this namespace out`,
    );
  }
  if (lacking !== undefined) return isFalse('ConfigurationLacking', lacking);
  if (!programmed) {
    return isFalse('NotProgrammed', 'API servers do not send the workloads of this namespace to the webhook yet');
  }
  if (!everywhere) {
    return isFalse('NotProgrammed', `not every replica of the operator has generation ${inForce} in force yet`);
  }
  const note =
    narrowedBy === undefined
      ? ''
      : `; somebody has added ${narrowedBy} to the webhook configuration, which may keep workloads out`;
  return isTrue('Programmed', `admission uses generation ${inForce}${note}`);
}

function certificateOf({ certificateReady }: PolicyFacts): Statement {
  if (certificateReady) return isTrue('CertificateReady', 'the webhook has a certificate to serve');
  return isFalse('CertificateNotReady', 'the webhook has no certificate to serve yet');
}

/**
 * The summary, with the reason that says most: without a certificate nothing is reached, and what is not reached is not
 * programmed as its policies ask. Kinds that cannot be injected come before: if a policy names no others, nothing of it is
 * ever programmed.
 */
function readyOf(
  { verdict, inForce, webhook, targetLack, consents = [] }: PolicyFacts,
  accepted: Statement,
  programmed: Statement,
  certificate: Statement,
): Statement {
  const onPurpose = ON_PURPOSE.has(programmed.reason);
  const lack = verdict.ok && targetLack !== undefined ? [isFalse(targetLack.reason, targetLack.message)] : [];
  const byRelevance = onPurpose ? [accepted, programmed] : [accepted, certificate, webhook, ...lack, programmed];
  const missing = byRelevance.find(({ status }) => status !== 'True');
  // it is not ready as long as nobody knows
  if (missing !== undefined) return { ...missing, status: 'False' };
  return isTrue('Active', [`generation ${inForce ?? 0} is in force`, ...consents].join('; '));
}

/** What does not pass with time. */
const ON_PURPOSE: ReadonlySet<ReasonCode> = new Set([
  'Suspended',
  'NamespaceExcluded',
  'ExcludedByPlatform',
  'ConfigurationLacking',
  'Uninstalling',
]);

/** What only people change, though everything else works. */
const FOR_PEOPLE: ReadonlySet<ReasonCode> = new Set(['WebhookUnreachable', 'TargetUnknown', 'TargetUnavailable']);

// What a person has to fix is stalled; what is in progress is reconciling; what is suspended is neither.
function progressOf({ verdict, stalled }: PolicyFacts, { status, reason, message }: Statement): DesiredCondition[] {
  if (verdict.ok && verdict.suspended) return [];
  if (status === 'True')
    return stalled === undefined ? [] : [{ type: 'Stalled', ...isTrue(stalled.reason, stalled.message) }];
  const isForPeople = !verdict.ok || ON_PURPOSE.has(reason) || FOR_PEOPLE.has(reason);
  const type = isForPeople ? 'Stalled' : 'Reconciling';
  return [{ type, ...isTrue(reason, message) }];
}

/**
 * Returns the desired status, given the current one: the transition time changes only if the status of a condition
 * does. `now` is from Clock.now().
 */
export function nextStatus(
  known: PolicyStatus | undefined,
  desired: readonly DesiredCondition[],
  observedGeneration: number,
  now: number,
  rest: WorkloadStatus & InjectorStatus = {},
): PolicyStatus {
  const conditions = desired.map(({ type, status, reason, message }): Condition => {
    const before = known?.conditions?.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : toKubernetesTime(now);
    return { type, status, observedGeneration, lastTransitionTime, reason, message };
  });
  return shownStatus({ observedGeneration, ...tableOf(conditions), conditions, ...rest });
}

const NOT_PROBED: Statement = {
  status: 'Unknown',
  reason: 'WebhookNotProbed',
  message: 'the operator has not tried yet whether API servers reach the webhook',
};

/**
 * Returns what to say about whether API servers reach the webhook while this replica has not found out: what the status
 * says. A new leader, or a restart, takes nothing back.
 */
export function knownReachability(known: PolicyStatus | undefined): Statement {
  const before = known?.conditions?.find(({ type }) => type === 'WebhookReachable');
  if (before === undefined) return NOT_PROBED;
  // it was written by this operator, or one of another version whose reasons are words as well
  return { status: before.status, reason: before.reason as ReasonCode, message: before.message };
}

/** Whether they say the same, regardless of order and of what others have added. */
export function isSameStatus(known: PolicyStatus | undefined, next: PolicyStatus): boolean {
  const before = (known?.conditions ?? []).filter(({ type }) => OWN_TYPES.has(type));
  const after = next.conditions ?? [];
  if (known?.observedGeneration !== next.observedGeneration || before.length !== after.length) return false;
  return (
    after.every((condition) => before.some((other) => isSameCondition(condition, other))) &&
    isSameTable(known, next) &&
    equal(known?.injector, next.injector) &&
    isSameWorkloadStatus(known, next)
  );
}

/**
 * Whether users wait for this difference: a generation was observed, workloads were counted for the first time, or a
 * condition has another status or reason.
 */
export function isUrgent(known: PolicyStatus | undefined, next: PolicyStatus): boolean {
  if (known?.observedGeneration !== next.observedGeneration) return true;
  if (known?.workloads === undefined && next.workloads !== undefined) return true;
  const gist = (status: PolicyStatus | undefined): string =>
    (status?.conditions ?? [])
      .filter(({ type }) => OWN_TYPES.has(type))
      .map(({ type, status: value, reason }) => `${type}=${value}/${reason}`)
      .sort()
      .join(' ');
  return gist(known) !== gist(next);
}

function isSameCondition(a: Condition, b: Condition): boolean {
  return (
    a.type === b.type &&
    a.status === b.status &&
    a.observedGeneration === b.observedGeneration &&
    a.lastTransitionTime === b.lastTransitionTime &&
    a.reason === b.reason &&
    a.message === b.message
  );
}

/** Returns a statement that a condition is True. */
export function isTrue(reason: ReasonCode, message: string): Statement {
  return { status: 'True', reason, message };
}

function isFalse(reason: ReasonCode, message: string): Statement {
  return { status: 'False', reason, message };
}
