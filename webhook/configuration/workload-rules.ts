import { KINDS } from '../../core/kinds.ts';
import type { Kind } from '../../core/kinds.ts';

/** Which requests the API server sends here, derived from the table of kinds. */

type Kinds = Readonly<Record<string, Kind>>;

/** A RuleWithOperations of admissionregistration.k8s.io. */
export interface WorkloadRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
  readonly scope: 'Namespaced';
}

/** Returns one rule for all kinds that differ only in the name of their resource. */
export function workloadRules(kinds: Kinds = KINDS): readonly WorkloadRule[] {
  const alike = Map.groupBy(Object.values(kinds), ({ resource: { group, version }, templateMayChange }) =>
    JSON.stringify([group, version, templateMayChange]),
  );
  return [...alike.values()].flatMap((rows) =>
    rows.slice(0, 1).map(({ resource: { group, version }, templateMayChange }) => ({
      apiGroups: [group],
      apiVersions: [version],
      operations: templateMayChange ? ['CREATE', 'UPDATE'] : ['CREATE'],
      resources: rows.map(({ resource }) => resource.plural),
      scope: 'Namespaced',
    })),
  );
}

/** Returns CEL for an update: whether the pod template differs, wherever the kind has it. */
export function templateDiffers(kinds: Kinds = KINDS): string {
  const alike = Map.groupBy(Object.keys(kinds), (kind) => kinds[kind]?.template.join('.') ?? '');
  const changes = [...alike].map(([path, names]) => {
    const change = `object.${path} != oldObject.${path}`;
    return alike.size === 1 ? change : `(request.kind.kind in ['${names.join("', '")}'] && ${change})`;
  });
  return changes.join(' || ');
}
