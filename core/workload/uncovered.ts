/** Workloads that refer to Vault, of kinds that no policy of their namespace names: nobody else would tell. Pure. */
import { excessOf, STORED } from '../injection/budget.ts';
import { otherSystemOf } from '../injection/operating-system.ts';
import { readWishes } from '../injection/overrides.ts';
import { containersOf, podSpecOf } from '../injection/pod.ts';
import { labelsOfWorkload } from '../injection/too-large.ts';
import { warnOfUnresolved } from '../injection/unresolved.ts';
import type { RawObject } from '../json.ts';
import { templateIn } from '../kinds.ts';
import type { WorkloadKind } from '../kinds.ts';
import { oversizedOf } from '../oversized.ts';
import { gapOf, pluralOf } from '../policy/coverage.ts';
import { choose, governorsOf, isUsable } from '../policy/governing.ts';
import type { RuleSnapshot } from '../policy/rule.ts';
import { compareText } from '../order.ts';
import { shownText } from '../shown.ts';
import type { Workload } from './workload.ts';

/** One that would be injected if a policy named its kind. */
export interface UncoveredWorkload {
  readonly kind: WorkloadKind;
  readonly name: string;
  /** Name of the policy that would apply to it. */
  readonly policy: string;
}

/** All of one kind that a policy would apply to, for its status. */
export interface UncoveredKind {
  readonly kind: string;
  readonly count: number;
  /** Name of the first one. */
  readonly example: string;
  /** What that means and what to do, as a sentence. */
  readonly message: string;
}

// As in the CRD.
const MOST_KINDS = 32;
const LONGEST_NAME = 253;

/**
 * Returns the name of the policy that would apply to a workload if it named its kind: only of one whose containers hold
 * references that stay text because of that. Undefined for what is finished, what keeps itself out, and what a controller
 * has made from a template of a kind that counts itself.
 *
 * @param object the raw object that `workload` was made of
 */
export function uncoveredBy(workload: Workload, object: RawObject, rules: RuleSnapshot): string | undefined {
  const { kind, traits, maker, metadata, rollout } = workload;
  const governors = governorsOf(rules, metadata.namespace);
  const template = templateIn(traits, object);
  const labels = labelsOfWorkload(object);
  const gap = gapOf(governors, { kind, labels, podLabels: labelsOfWorkload(template ?? {}), maker });
  // with another kind, its maker counts
  if (gap?.kind !== kind || rollout.finished === true) return undefined;
  const podSpec = template && podSpecOf(template);
  if (template === undefined || podSpec === undefined) return undefined;
  const isTooLarge = oversizedOf(object) !== undefined || excessOf(object, template, STORED, undefined) !== undefined;
  if (isTooLarge || otherSystemOf(podSpec) !== undefined) return undefined;
  const wishes = readWishes(object, template, () => undefined);
  const governor = choose(gap.governors, wishes.policy);
  if (governor === undefined || wishes.inject === false) return undefined;
  if (isUsable(governor) && governor.when === 'Annotation' && wishes.inject !== true) return undefined;
  const literals = isUsable(governor) ? governor.environment.literals : [];
  const refers = (container: RawObject): boolean => {
    let isLiteral = false;
    warnOfUnresolved(container, '', () => (isLiteral = true), literals);
    return isLiteral;
  };
  return containersOf(podSpec).some(refers) ? governor.policy.name : undefined;
}

/** Returns what the status of a policy says about the workloads that it would apply to: by kind, in order. */
export function uncoveredKindsOf(policy: string, uncovered: readonly UncoveredWorkload[]): readonly UncoveredKind[] {
  const names = new Map<string, string[]>();
  for (const one of uncovered) {
    if (one.policy !== policy) continue;
    const known = names.get(one.kind);
    if (known === undefined) names.set(one.kind, [one.name]);
    else known.push(one.name);
  }
  return [...names]
    .sort(([a], [b]) => compareText(a, b))
    .slice(0, MOST_KINDS)
    .map(([kind, all]) => ({
      kind,
      count: all.length,
      example: shownText(
        all.reduce((a, b) => (compareText(a, b) <= 0 ? a : b)),
        LONGEST_NAME,
      ),
      message: adviceFor(kind),
    }));
}

function adviceFor(kind: string): string {
  return (
    `no policy of this namespace is for ${pluralOf(kind)}, so their programs get the text of the references: ` +
    `add ${kind} to spec.targets of this policy`
  );
}
