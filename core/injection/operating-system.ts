/** For which operating system a pod is meant: vault-env exists for Linux. Pure. */
import { asList, asObject, asString, asStrings } from '../json.ts';
import type { RawObject } from '../json.ts';

const LINUX = 'linux';
// The second is what kubelets wrote before 1.14; manifests still name it.
const LABELS: readonly string[] = ['kubernetes.io/os', 'beta.kubernetes.io/os'];
const UNNAMED = 'another operating system';

/**
 * Returns the operating system that a pod's spec asks for if it can never run on Linux, in three ways: `os.name`, a node
 * selector, or a required node affinity of which every term leaves Linux out. Returns undefined for all others.
 */
export function otherSystemOf(podSpec: RawObject): string | undefined {
  const selector = asObject(podSpec.nodeSelector);
  const named = [asObject(podSpec.os)?.name, ...LABELS.map((label) => selector?.[label])].map(asString);
  const other = named.find((name) => name !== undefined && name !== '' && name !== LINUX);
  return other === undefined ? otherByAffinity(podSpec) : shown(other);
}

/** The terms are alternatives; the requirements of one must all hold. */
function otherByAffinity(podSpec: RawObject): string | undefined {
  const required = asObject(
    asObject(asObject(podSpec.affinity)?.nodeAffinity)?.requiredDuringSchedulingIgnoredDuringExecution,
  );
  const terms = asList(required?.nodeSelectorTerms) ?? [];
  const others = terms.map((term) =>
    (asList(asObject(term)?.matchExpressions) ?? [])
      .map((item) => otherOf(asObject(item)))
      .find((name) => name !== undefined),
  );
  return others.length > 0 && others.every((name) => name !== undefined) ? others[0] : undefined;
}

/** Returns what a requirement asks for in place of Linux. */
function otherOf(requirement: RawObject | undefined): string | undefined {
  if (!LABELS.includes(asString(requirement?.key) ?? '')) return undefined;
  const values = asStrings(requirement?.values) ?? [];
  if (requirement?.operator === 'In') return values.includes(LINUX) ? undefined : shown(values[0] ?? '');
  return requirement?.operator === 'NotIn' && values.includes(LINUX) ? UNNAMED : undefined;
}

/** A label's value comes from a manifest. */
function shown(name: string): string {
  return /^[\w.-]{1,32}$/.test(name) ? name : UNNAMED;
}
