/** operator/check/rights.generated.ts from config/rbac/operator.yaml: what `check` asks for. */
import { formatted } from './format.ts';
import { readRights } from './rights.ts';

export const RIGHTS_LIST_FILE = 'operator/check/rights.generated.ts';

/** Resolves with the module. */
export function rightsList(): Promise<string> {
  const rules = readRights().flatMap(({ namespace, groups, resources, names, verbs }) =>
    groups.map((group) => ({ isOwn: namespace !== undefined, group, resources, names, verbs })),
  );
  const text = `// Generated from config/rbac/operator.yaml by build/generate/rights-list.ts: do not edit.

/** A rule of the operator's ClusterRole, or of its Role (isOwn) in its own namespace. */
export interface RightsRule {
  readonly isOwn: boolean;
  readonly group: string;
  readonly resources: readonly string[];
  /** None: any. */
  readonly names: readonly string[];
  readonly verbs: readonly string[];
}

export const RULES: readonly RightsRule[] = ${JSON.stringify(rules, undefined, 2)};
`;
  return formatted(RIGHTS_LIST_FILE, text);
}
