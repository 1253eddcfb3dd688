import type { ReasonOf } from '../../core/reasons.ts';
import type { Condition, VaultInjectionPolicyStatus } from '../../core/policy/policy.generated.ts';

/** What the table of `kubectl get` shows that no single condition says. */
export type TableStatus = Pick<VaultInjectionPolicyStatus, 'reason' | 'vault'>;

/** One word for each, because a column is narrow. */
const VAULT: Readonly<Record<ReasonOf<'VaultReachable'>, string>> = {
  VaultReachable: 'OK',
  VaultStandby: 'Standby',
  VaultCAUnusable: 'CAUnusable',
  VaultSealed: 'Sealed',
  VaultNotInitialized: 'NotInitialized',
  VaultTLSFailed: 'TLSFailed',
  VaultTimeout: 'Timeout',
  VaultNameUnknown: 'NameUnknown',
  VaultUnreachable: 'Unreachable',
  VaultAnswerUnexpected: 'Unexpected',
  VaultNotChecked: 'NotChecked',
};

/** Returns the fields for these conditions: the reason is that of Stalled while it is True, else that of Ready. */
export function tableOf(conditions: readonly Pick<Condition, 'type' | 'status' | 'reason'>[]): TableStatus {
  const reasonOf = (type: string): string | undefined => conditions.find((one) => one.type === type)?.reason;
  const isStalled = conditions.some(({ type, status }) => type === 'Stalled' && status === 'True');
  const reason = reasonOf(isStalled ? 'Stalled' : 'Ready');
  const vault = (VAULT as Readonly<Record<string, string>>)[reasonOf('VaultReachable') ?? ''];
  return { ...(reason !== undefined && { reason }), ...(vault !== undefined && { vault }) };
}

/** Whether both show the same. */
export function isSameTable(a: TableStatus | undefined, b: TableStatus): boolean {
  return a?.reason === b.reason && a?.vault === b.vault;
}
