/** Why references of a workload stay text that no policy selects. Pure. */
import type { RawObject } from '../json.ts';
import { gapOf, isForWhatIsMade, pluralOf } from '../policy/coverage.ts';
import type { Subject } from '../policy/coverage.ts';
import { matchesSelector } from '../policy/match.ts';
import type { Governor } from '../policy/rule.ts';
import { annotation } from './annotations.ts';
import { annotationsOf, labelsOf } from './pod.ts';

/**
 * Returns the reason, as the end of a sentence; undefined if they do not stay text, because a policy is for what is made
 * from the template.
 *
 * @param governors all policies of the namespace, the winner first
 * @param template as it is stored or sent: an earlier injection has left its annotation there
 */
export function unselected(
  governors: readonly Governor[],
  workload: Omit<Subject, 'podLabels'>,
  template: RawObject,
): string | undefined {
  const { kind, labels, maker } = workload;
  const subject = { ...workload, podLabels: (labelsOf(template) ?? {}) as Subject['labels'] };
  const gap = gapOf(governors, subject);
  const [first] = gap?.governors ?? [];
  if (gap !== undefined && first !== undefined) {
    // warnings are short: the name, which may be long, comes last
    return `no policy here is for ${pluralOf(gap.kind)}; add ${gap.kind} to targets of ${first.policy.name}`;
  }
  if (isForWhatIsMade(governors, subject)) return undefined;
  const injected = annotationsOf(template)?.[annotation.injected];
  const before = typeof injected === 'string' ? injected.split('/')[0] : undefined;
  if (before !== undefined) {
    const isThere = governors.some(({ policy }) => policy.name === before);
    return isThere ? `policy ${before} does not select it` : `policy ${before} is deleted or suspended`;
  }
  const isLeft = governors.some((one) => one.targets.includes(kind) && matchesSelector(one.selector, labels));
  if (maker !== undefined && isLeft) return `it is left to ${maker === 'Other' ? 'what' : `the ${maker} that`} made it`;
  return 'no VaultInjectionPolicy selects it';
}
