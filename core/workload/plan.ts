/**
 * What to do about the workloads of one policy now: repair what was missed, adopt what ran before the policy, roll what
 * is outdated, restart what runs with an older version of a secret. Pure, and level-based: it goes by the workloads
 * themselves (their state, the progress of their rollouts, earlier requests), so a restart of the operator in the middle
 * of a rollout changes nothing.
 */
import type { Rule } from '../policy/rule.ts';
import { Draft } from './draft.ts';
import { planRepair } from './repairs.ts';
import type { RestartWish } from './restarts.ts';
import { noteBaseline, planRollouts } from './rollouts.ts';
import type { Plan, Tracked } from './tracked.ts';

export type { Action, Ages, Plan, Stall, Tracked } from './tracked.ts';
export { REQUEST_FIELD_MANAGER } from './workload.ts';

/**
 * @param tracked only those that the policy of the rule applies to
 * @param now milliseconds since the epoch, to write down
 * @param slots how many of them may be rolling at once, as far as the whole cluster goes; the rule has a bound of its
 *   own
 */
export function plan(
  rule: Rule,
  tracked: readonly Tracked[],
  restarts: readonly RestartWish[],
  now: number,
  slots = Infinity,
): Plan {
  const draft = new Draft(now);
  const sorted = tracked.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const wishes = new Map(restarts.map((wish) => [wish.key, wish]));
  for (const one of sorted) planRepair(one, rule, draft);
  planRollouts(sorted, rule, wishes, slots, draft);
  for (const one of sorted) noteBaseline(one, wishes, draft);
  return draft.plan();
}
