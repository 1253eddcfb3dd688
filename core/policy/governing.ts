/** Which policies govern a namespace, and which of them comes first: those with a rule, and those without one. */
import { asList, asObject, asString } from '../json.ts';
import { isNameOfAdded, WORKLOAD_KINDS } from '../kinds.ts';
import type { WorkloadKind } from '../kinds.ts';
import type { KubernetesObject } from '../object.ts';
import { compareText } from '../order.ts';
import { DEFAULTS } from './policy.generated.ts';
import type { Governor, LabelRequirement, Rule, Rules, UnusablePolicy } from './rule.ts';

/**
 * Compares policies for sort(): of those that match a workload the first one applies. By priority, then age, then name.
 */
export function winnerFirst(a: Pick<Rule, 'priority' | 'policy'>, b: Pick<Rule, 'priority' | 'policy'>): number {
  return (
    b.priority - a.priority || a.policy.createdAt - b.policy.createdAt || compareText(a.policy.name, b.policy.name)
  );
}

/** Returns all policies that govern a namespace, the winner first. */
export function governorsOf(rules: Rules, namespace: string): readonly Governor[] {
  const [usable, unusable] = [rules.rulesFor(namespace), rules.unusableFor(namespace)];
  return unusable.length === 0 ? usable : [...usable, ...unusable].sort(winnerFirst);
}

/** The rule that counts: the one that the workload names, else the first. */
export function choose(matching: readonly Governor[], policy: string | undefined): Governor | undefined {
  return policy === undefined ? matching[0] : matching.find((rule) => rule.policy.name === policy);
}

/** Whether it has a rule to inject by. */
export function isUsable(governor: Governor): governor is Rule {
  return !('fault' in governor);
}

/** Whether any policy of the namespace asks to refuse what cannot be injected. */
export function asksToFail(rules: Rules, namespace: string): boolean {
  const isFail = ({ failurePolicy }: Governor): boolean => failurePolicy === 'Fail';
  return rules.rulesFor(namespace).some(isFail) || rules.unusableFor(namespace).some(isFail);
}

/** The kinds that policies of one namespace name, with their combined failure policy. */
export type KindPolicies = ReadonlyMap<WorkloadKind, Rule['failurePolicy']>;

/**
 * Returns the kinds that these policies of one namespace name, each with what is to happen to it while the webhook cannot
 * answer: Fail if any of those that name it says so.
 */
export function failurePoliciesOf(governors: readonly Governor[]): KindPolicies {
  const all = new Map<WorkloadKind, Rule['failurePolicy']>();
  for (const { targets, failurePolicy } of governors) {
    for (const kind of targets) if (all.get(kind) !== 'Fail') all.set(kind, failurePolicy);
  }
  return all;
}

/** Returns what identifies a policy, from an object as the API server sent it. */
export function identityOf({ metadata }: KubernetesObject): Rule['policy'] {
  const { namespace = '', name, uid = '', generation = 0, creationTimestamp } = metadata;
  return { namespace, name, uid, generation, createdAt: creationTimestamp ? Date.parse(creationTimestamp) : 0 };
}

/** Whether spec.suspend is true, whatever else is wrong with the policy. */
export function isSuspended(object: KubernetesObject): boolean {
  return asObject(object.spec)?.suspend === true;
}

/**
 * Returns what can be read of a policy that cannot be used. What cannot be read counts as the author's widest wish: all
 * workloads, and Fail unless it says Ignore, or nothing, which is the CRD's default. Pods are those only of an author who
 * names them: to refuse them all keeps a namespace from healing.
 *
 * @param fault for users; see UnusablePolicy
 */
export function unusablePolicyOf(object: KubernetesObject, fault: string): UnusablePolicy {
  const spec = asObject(object.spec) ?? {};
  const { priority } = spec;
  return {
    policy: identityOf(object),
    priority: typeof priority === 'number' ? priority : DEFAULTS.priority,
    targets: targetsOf(spec.targets ?? DEFAULTS.targets),
    selector: selectorOf(spec.selector) ?? { matchLabels: {}, matchExpressions: [] },
    failurePolicy: (spec.failurePolicy ?? DEFAULTS.failurePolicy) === 'Ignore' ? 'Ignore' : 'Fail',
    fault,
  };
}

const BY_DEFAULT: readonly WorkloadKind[] = DEFAULTS.targets;

function targetsOf(targets: unknown): readonly WorkloadKind[] {
  const written = asList(targets) ?? [];
  const added = written.flatMap((name) => (isNameOfAdded(name) ? [name] : []));
  const builtIn = WORKLOAD_KINDS.filter((kind) => written.includes(kind));
  const known = [...builtIn, ...added];
  if (known.length > 0 && known.length === written.length) return known;
  return [...WORKLOAD_KINDS.filter((kind) => builtIn.includes(kind) || BY_DEFAULT.includes(kind)), ...added];
}

/** Returns undefined if any part of it cannot be read: a part left out would select other workloads. */
function selectorOf(value: unknown): Rule['selector'] | undefined {
  const selector = asObject(value ?? {});
  const labels = asObject(selector?.matchLabels ?? {});
  const expressions = asList(selector?.matchExpressions ?? [])?.map(requirementOf);
  if (labels === undefined || expressions?.every((one) => one !== undefined) !== true) return undefined;
  if (Object.values(labels).some((label) => typeof label !== 'string')) return undefined;
  return { matchLabels: labels as Record<string, string>, matchExpressions: expressions };
}

const OPERATORS: readonly LabelRequirement['operator'][] = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

function requirementOf(value: unknown): LabelRequirement | undefined {
  const requirement = asObject(value);
  const key = asString(requirement?.key);
  const operator = OPERATORS.find((known) => known === requirement?.operator);
  const values = asList(requirement?.values ?? []);
  if (key === undefined || operator === undefined || values === undefined) return undefined;
  // Kubernetes takes neither lists without values nor values where there is nothing to compare
  if ((operator === 'In' || operator === 'NotIn') !== values.length > 0) return undefined;
  return { key, operator, values: values.map(String) };
}
