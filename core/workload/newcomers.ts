/**
 * Which workloads were there before the policy. Their pods run, with another injector's help or because nobody has asked
 * for secrets yet: the policy adopts them by its rollout, and nobody repairs them. Decided by the objects alone, so that
 * every replica says the same after every restart. Pure.
 */
import { annotation } from '../injection/annotations.ts';
import type { Details } from '../injection/outcome.ts';
import type { Rule } from '../policy/rule.ts';
import { parseRequest } from './request.ts';
import type { Workload } from './workload.ts';

/**
 * Whether a workload that is not injected has never been: its template is older than the policy's present spec, nothing
 * in it is left of an injection, and the operator has not asked for one that was due. Of the same second, it is no
 * newcomer: applied together with the policy, it has only just been created.
 */
export function isNewcomerTo(rule: Rule, { annotations, writtenAt }: Workload, { isTraced }: Details): boolean {
  if (isTraced || writtenAt >= rule.since) return false;
  // written about injected pods alone
  if (annotations[annotation.versions] !== undefined || annotations[annotation.restart] !== undefined) return false;
  const kind = parseRequest(annotations)?.kind;
  return kind === undefined || kind === 'Adoption';
}
