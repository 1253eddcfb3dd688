import { equal } from '../../core/json.ts';
import { toKubernetesTime } from '../../core/time.ts';
import { REASONS } from '../../core/reasons.ts';
import type { Reason, ReasonCode } from '../../core/reasons.ts';
import type { Attention, WorkloadSummary } from '../../core/workload/summary.ts';
import type { VaultInjectionPolicyStatus } from '../../core/policy/policy.generated.ts';

const FIELDS = ['workloads', 'uncovered', 'lastAppliedTime', 'attention', 'attentionOmitted', 'conflicts'] as const;

/**
 * What the status of a policy says about its workloads. Without lastDenial and pods, which workloads/denials.ts and
 * workloads/pod-counts.ts write.
 */
export type WorkloadStatus = Pick<VaultInjectionPolicyStatus, (typeof FIELDS)[number]>;

/**
 * Returns the desired fields, given the current ones: what needs attention keeps the time it was first seen, and the
 * newest lastAppliedTime stays, because a process remembers only its own. `now` is from Clock.now().
 */
export function workloadStatusOf(
  known: WorkloadStatus | undefined,
  summary: WorkloadSummary,
  now: number,
): WorkloadStatus {
  const { counts, kinds, uncovered, attention, attentionOmitted, conflicts } = summary;
  const lastAppliedTime = newest(known?.lastAppliedTime, summary.lastAppliedTime);
  return {
    workloads: {
      ...counts,
      problems: counts.missed + counts.failed + counts.denied,
      conflicts: summary.conflicting ?? 0,
      ...(kinds !== undefined && { kinds: kinds.map((one) => ({ ...one })) }),
    },
    ...(uncovered !== undefined && { uncovered: uncovered.map((one) => ({ ...one })) }),
    ...(lastAppliedTime !== undefined && { lastAppliedTime }),
    ...(attention.length > 0 && { attention: attention.map((one) => withSince(one, known, now)) }),
    ...(attentionOmitted > 0 && { attentionOmitted }),
    ...(conflicts.length > 0 && { conflicts: conflicts.map((conflict) => ({ ...conflict })) }),
  };
}

/** Returns the current fields, which stay until the workloads have been examined. */
export function keptWorkloadStatus(known: WorkloadStatus | undefined): WorkloadStatus {
  const given = FIELDS.filter((field) => known?.[field] !== undefined);
  return Object.fromEntries(given.map((field) => [field, known?.[field]]));
}

/** Returns why the policy was stalled because of its workloads, which stays as long; undefined if it was not. */
export function keptStall(
  known: Pick<VaultInjectionPolicyStatus, 'conditions'> | undefined,
): { readonly reason: ReasonCode; readonly message: string } | undefined {
  const stalled = known?.conditions?.find(({ type, status }) => type === 'Stalled' && status === 'True');
  const reason = stalled?.reason ?? '';
  if (stalled === undefined || !Object.hasOwn(REASONS, reason)) return undefined;
  const code = reason as ReasonCode;
  const uses: Reason['usedBy'] = REASONS[code].usedBy;
  return uses.includes('Workload') && uses.includes('Stalled') ? { reason: code, message: stalled.message } : undefined;
}

export function isSameWorkloadStatus(known: WorkloadStatus | undefined, next: WorkloadStatus): boolean {
  return equal(keptWorkloadStatus(known), keptWorkloadStatus(next));
}

type AttentionStatus = NonNullable<WorkloadStatus['attention']>[number];

function withSince(
  { kind, name, state, reason, message }: Attention,
  known: WorkloadStatus | undefined,
  now: number,
): AttentionStatus {
  const before = known?.attention?.find((one) => one.kind === kind && one.name === name);
  const same = before?.state === state && before.reason === reason;
  const since = (same ? before.since : undefined) ?? toKubernetesTime(now);
  return { kind, name, state, reason, message, since };
}

function newest(known: string | undefined, applied: number | undefined): string | undefined {
  if (applied === undefined) return known;
  const time = toKubernetesTime(applied);
  return known !== undefined && Date.parse(known) > Date.parse(time) ? known : time;
}
