import { toKubernetesTime } from '../../core/time.ts';
import { CONDITION_TYPES } from '../../core/reasons.ts';
import type { ConditionType, ReasonCode } from '../../core/reasons.ts';
import type { Condition } from '../../core/policy/policy.generated.ts';
import { isSameTable, tableOf } from './table.ts';
import type { TableStatus } from './table.ts';
import { isSameWorkloadStatus } from './workload-status.ts';
import type { WorkloadStatus } from './workload-status.ts';

/** What a policy's status is derived from. Collecting these facts decides nothing. */
export interface PolicyFacts {
  readonly verdict: Verdict;
  /** The generation whose rule admission uses; undefined if there is none. */
  readonly inForce: number | undefined;
  /** API servers send workloads of the namespace to the webhook. */
  readonly programmed: boolean;
  /** They never will, because the namespace is excluded. */
  readonly excluded: boolean;
  /** There is a certificate to serve. */
  readonly certificateReady: boolean;
  readonly vault: Statement;
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

/** As in the CRD, without the fields that others write. */
export interface PolicyStatus extends WorkloadStatus, TableStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

/**
 * Returns the conditions of a policy. VaultReachable and Rotating only inform. Reconciling and Stalled are those of
 * kstatus (sigs.k8s.io/cli-utils, pkg/kstatus): present only while they are true.
 */
export function conditionsOf(facts: PolicyFacts): readonly DesiredCondition[] {
  const accepted = acceptedOf(facts);
  const programmed = programmedOf(facts);
  const certificate = certificateOf(facts);
  const ready = readyOf(facts, accepted, programmed, certificate);
  return [
    { type: 'Accepted', ...accepted },
    { type: 'Programmed', ...programmed },
    { type: 'VaultReachable', ...facts.vault },
    { type: 'CertificateReady', ...certificate },
    ...(facts.rotating === undefined ? [] : [{ type: 'Rotating' as const, ...facts.rotating }]),
    { type: 'Ready', ...ready },
    ...progressOf(facts, ready),
  ];
}

function acceptedOf({ verdict, inForce }: PolicyFacts): Statement {
  if (verdict.ok) return isTrue('Accepted', 'the policy is valid');
  const consequence =
    inForce === undefined ? 'no rule is in force' : `generation ${inForce} stays in force until this is fixed`;
  return isFalse(verdict.reason, `${verdict.message}; ${consequence}`);
}

function programmedOf({ verdict, inForce, programmed, excluded }: PolicyFacts): Statement {
  if (verdict.ok && verdict.suspended) return isFalse('Suspended', 'the policy is suspended: nothing is injected');
  if (inForce === undefined) return isFalse('NotAccepted', 'no valid generation of the policy is known');
  if (excluded) return isFalse('NamespaceExcluded', 'workloads of this namespace are never injected');
  if (!programmed) {
    return isFalse('NotProgrammed', 'API servers do not send the workloads of this namespace to the webhook yet');
  }
  return isTrue('Programmed', `admission uses generation ${inForce}`);
}

function certificateOf({ certificateReady }: PolicyFacts): Statement {
  if (certificateReady) return isTrue('CertificateReady', 'the webhook has a certificate to serve');
  return isFalse('CertificateNotReady', 'the webhook has no certificate to serve yet');
}

/** The summary, with the reason that says most: without a certificate nothing is programmed either. */
function readyOf(
  { inForce }: PolicyFacts,
  accepted: Statement,
  programmed: Statement,
  certificate: Statement,
): Statement {
  const onPurpose = programmed.reason === 'Suspended' || programmed.reason === 'NamespaceExcluded';
  const byRelevance = onPurpose ? [accepted, programmed] : [accepted, certificate, programmed];
  const missing = byRelevance.find(({ status }) => status !== 'True');
  return missing ?? isTrue('Active', `generation ${inForce ?? 0} is in force`);
}

// What a person has to fix is stalled; what is in progress is reconciling; what is suspended is neither.
function progressOf(
  { verdict, excluded, stalled }: PolicyFacts,
  { status, reason, message }: Statement,
): DesiredCondition[] {
  if (verdict.ok && verdict.suspended) return [];
  if (status === 'True')
    return stalled === undefined ? [] : [{ type: 'Stalled', ...isTrue(stalled.reason, stalled.message) }];
  const type = !verdict.ok || excluded ? 'Stalled' : 'Reconciling';
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
  workloads: WorkloadStatus = {},
): PolicyStatus {
  const conditions = desired.map(({ type, status, reason, message }): Condition => {
    const before = known?.conditions?.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : toKubernetesTime(now);
    return { type, status, observedGeneration, lastTransitionTime, reason, message };
  });
  return { observedGeneration, ...tableOf(conditions), conditions, ...workloads };
}

/** Whether they say the same, regardless of order and of what others have added. */
export function isSameStatus(known: PolicyStatus | undefined, next: PolicyStatus): boolean {
  const before = (known?.conditions ?? []).filter(({ type }) => OWN_TYPES.has(type));
  const after = next.conditions ?? [];
  if (known?.observedGeneration !== next.observedGeneration || before.length !== after.length) return false;
  return (
    after.every((condition) => before.some((other) => isSameCondition(condition, other))) &&
    isSameTable(known, next) &&
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
