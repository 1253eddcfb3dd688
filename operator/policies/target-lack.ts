/** What keeps an operator from injecting kinds that a policy names. Pure. */
import { PRESETS, targetNameOf } from '../../core/added-kinds.ts';
import { apiVersionIn, rowOf } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { mark } from '../../core/marks.ts';
import type { ReasonCode } from '../../core/reasons.ts';
import { listed } from '../../core/shown.ts';

export interface TargetLack {
  readonly reason: Extract<ReasonCode, 'TargetUnknown' | 'TargetUnavailable'>;
  readonly message: string;
}

/**
 * Returns what is wrong with the first kinds that a policy names, and what to do; undefined if nothing is.
 *
 * @param problemOf why nothing can be known of a kind, see Inventory.problemOf(); or the API server refuses to have it in
 *   the webhook configuration, see ConfigurationKeeper.refuses()
 */
export function targetLackOf(
  targets: readonly WorkloadKind[],
  kinds: Kinds,
  problemOf: (kind: WorkloadKind) => 'NotServed' | 'Forbidden' | 'Refused' | undefined,
): TargetLack | undefined {
  const unknown = targets.filter((name) => !Object.hasOwn(kinds, name));
  if (unknown.length > 0) {
    const presets = unknown.flatMap((name) => presetOf(name) ?? []);
    const entry = presets.length === unknown.length ? ` (${presets.join(', ')})` : '';
    return {
      reason: 'TargetUnknown',
      message: `targets names ${listed(unknown)}, which the operator does not know: add it to the operator's setting templates${entry}, or remove it from targets; the other targets are injected`,
    };
  }
  for (const name of targets) {
    const problem = problemOf(name);
    if (problem === undefined) continue;
    const row = rowOf(name, kinds);
    const full = [row.resource.plural, row.resource.group].filter(Boolean).join('.');
    const message = {
      NotServed: `the API server has no ${full} of ${apiVersionIn(row)}: install the CRD of ${name}, or remove it from targets`,
      Forbidden: `the operator may not list and watch ${full}: grant it get, list, watch and patch of them (docs/guides/other-kinds.md)`,
      Refused: `the API server refuses to have ${full} reviewed by the operator, as its log says: name ${full} in the annotation ${mark.templates} of the operator's ServiceAccount (docs/guides/other-kinds.md)`,
    }[problem];
    return { reason: 'TargetUnavailable', message: `${message}; the other targets are injected` };
  }
  return undefined;
}

function presetOf(name: WorkloadKind): string | undefined {
  return Object.keys(PRESETS).find((preset) => PRESETS[preset] !== undefined && targetNameOf(PRESETS[preset]) === name);
}
