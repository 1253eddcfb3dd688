import { mutateWorkload } from '../../core/injection/mutate.ts';
import type { MutationResult } from '../../core/injection/outcome.ts';
import type { Rule } from '../../core/policy/rule.ts';
import { applyPatch } from './apply-patch.ts';
import { snapshotOf } from './example-rule.ts';
import type { Workload } from './example-workload.ts';

/** Returns what admission turns a Deployment into with these rules. */
export function mutate(object: unknown, ...rules: readonly Rule[]): MutationResult {
  return mutateWorkload({ kind: 'Deployment', namespace: 'shop', name: 'web', object, rules: snapshotOf(...rules) });
}

/** The object as the API server has it after admission. Throws what a denial says. */
export function admitted(object: Workload, ...rules: readonly Rule[]): Workload {
  const { denial, patch } = mutate(object, ...rules);
  if (denial) throw new Error(`${denial.reason}: ${denial.message}`);
  return applyPatch(object, patch) as Workload;
}
