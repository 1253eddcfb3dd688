import type { WorkloadKind } from '../../core/kinds.ts';
import { DEFAULTS } from '../../core/policy/policy.generated.ts';

type FailurePolicy = 'Ignore' | 'Fail';

/** Those that a policy is for by default. */
export const DEFAULT_KINDS: readonly WorkloadKind[] = DEFAULTS.targets;

/** What policies for these kinds ask for, by namespace and kind. */
export function kindPolicies(
  policies: Iterable<readonly [namespace: string, policy: FailurePolicy]>,
  kinds = DEFAULT_KINDS,
): Map<string, ReadonlyMap<WorkloadKind, FailurePolicy>> {
  return new Map([...policies].map(([name, policy]) => [name, new Map(kinds.map((kind) => [kind, policy] as const))]));
}

/** The same kinds in each namespace. */
export function kindsIn(
  namespaces: readonly string[],
  kinds = DEFAULT_KINDS,
): ReadonlyMap<string, ReadonlySet<WorkloadKind>> {
  return new Map(namespaces.map((name) => [name, new Set(kinds)]));
}
