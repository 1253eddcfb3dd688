/** What the status of a policy says about its workloads. Pure. */
import { WORKLOAD_KINDS } from '../kinds.ts';
import { compareText } from '../order.ts';
import type { Rule } from '../policy/rule.ts';
import type { ReasonCode } from '../reasons.ts';
import { shownText } from '../shown.ts';
import type { Plan, Stall, Tracked } from './plan.ts';
import { isToldOf, STATE_NAMES, STATES } from './standing.ts';
import type { State } from './standing.ts';
import { uncoveredKindsOf } from './uncovered.ts';
import type { UncoveredKind, UncoveredWorkload } from './uncovered.ts';
import { partsOfWorkloadKey } from './workload.ts';

/** Each has the same name in the status; `matched` is the sum of the others. */
export type WorkloadCounts = Readonly<Record<'matched' | Uncapitalize<State>, number>>;

/** The same for those of one kind. */
export type KindCounts = WorkloadCounts & { readonly kind: string };

/** A workload that somebody should look at. */
export interface Attention {
  readonly kind: string;
  readonly name: string;
  readonly state: State;
  readonly reason: ReasonCode;
  readonly message: string;
}

/** Another policy that matches some of the same workloads. */
export interface Conflict {
  readonly policy: string;
  /** Whether this one applies to them rather than the other. */
  readonly wins: boolean;
  readonly workloads: number;
  /** `Kind/name` of one of them. */
  readonly example: string;
}

export interface WorkloadSummary {
  readonly counts: WorkloadCounts;
  /** Of each kind that there is a workload of, in the order of core/kinds.ts; left out if there is none. */
  readonly kinds?: readonly KindCounts[];
  /** What the policy would apply to if it named more kinds; left out if there is nothing. */
  readonly uncovered?: readonly UncoveredKind[];
  readonly attention: readonly Attention[];
  /** How many more there are. */
  readonly attentionOmitted: number;
  readonly conflicts: readonly Conflict[];
  /** How many workloads this policy and another one match; left out if there are none. */
  readonly conflicting?: number;
  /** Milliseconds since the epoch. */
  readonly lastAppliedTime?: number;
  /** Why the policy makes no progress. */
  readonly stalled?: { readonly reason: ReasonCode; readonly message: string };
}

// As in the CRD.
const MAX_ATTENTION = 20;
const MAX_CONFLICTS = 10;
const MAX_KINDS = 32;
const LONGEST_MESSAGE = 512;

/**
 * @param namespace all workloads of the namespace that any policy applies to
 * @param others those of kinds that no policy of the namespace names
 */
export function summaryOf(
  { policy }: Pick<Rule, 'policy'>,
  namespace: readonly Tracked[],
  { stalls }: Pick<Plan, 'stalls'>,
  others: readonly UncoveredWorkload[] = [],
): WorkloadSummary {
  const { name } = policy;
  const own = namespace.filter(({ standing }) => standing.policy.name === name);
  const stalled = new Map(stalls.map((stall) => [stall.key, stall]));
  const attention = own
    .map((one) => attentionOf(one, stalled.get(one.key)))
    .filter((one) => one !== undefined)
    .sort((a, b) => a.rank - b.rank || compareText(idOf(a.attention), idOf(b.attention)));
  const conflicting = namespace.filter(({ standing }) => isContested(name, standing)).length;
  const kinds = kindCountsOf(own);
  const uncovered = uncoveredKindsOf(name, others);
  const [first] = stalls;
  return {
    counts: countsOf(own),
    ...(kinds.length > 0 && { kinds }),
    ...(uncovered.length > 0 && { uncovered }),
    attention: attention.slice(0, MAX_ATTENTION).map(({ attention: one }) => one),
    attentionOmitted: Math.max(0, attention.length - MAX_ATTENTION),
    conflicts: conflictsOf(name, namespace),
    ...(conflicting > 0 && { conflicting }),
    ...(first && {
      stalled: { reason: first.reason, message: shownText(`${nameOf(first.key)}: ${first.message}`, LONGEST_MESSAGE) },
    }),
  };
}

function countsOf(own: readonly Tracked[]): WorkloadCounts {
  const of = (state: State): number => own.filter(({ standing }) => standing.state === state).length;
  const counts = Object.fromEntries(STATE_NAMES.map((state) => [state.toLowerCase(), of(state)]));
  return { matched: own.length, ...counts } as WorkloadCounts;
}

function kindCountsOf(own: readonly Tracked[]): readonly KindCounts[] {
  const byKind = new Map<string, Tracked[]>();
  for (const one of own) {
    const known = byKind.get(one.workload.kind);
    if (known === undefined) byKind.set(one.workload.kind, [one]);
    else known.push(one);
  }
  const others = [...byKind.keys()].filter((kind) => !(WORKLOAD_KINDS as readonly string[]).includes(kind)).sort();
  return [...WORKLOAD_KINDS, ...others]
    .flatMap((kind) => {
      const those = byKind.get(kind);
      return those === undefined ? [] : [{ kind, ...countsOf(those) }];
    })
    .slice(0, MAX_KINDS);
}

interface Ranked {
  readonly attention: Attention;
  readonly rank: number;
}

function attentionOf({ workload, standing }: Tracked, stall: Stall | undefined): Ranked | undefined {
  const { state } = standing;
  // stalled ones come first, then the most urgent ones
  const urgency = isToldOf(standing) ? STATES.Failed.urgency : STATES[state].urgency;
  const rank = stall === undefined ? urgency : -1;
  if (rank === undefined) return undefined;
  const { kind, metadata } = workload;
  const reason = stall?.reason ?? standing.reason ?? 'NotInjected';
  const message = shownText(stall?.message ?? standing.message ?? '', LONGEST_MESSAGE);
  return { attention: { kind, name: metadata.name, state, reason, message }, rank };
}

function isContested(name: string, { policy, yielding }: Tracked['standing']): boolean {
  return yielding.length > 0 && (policy.name === name || yielding.includes(name));
}

function conflictsOf(name: string, namespace: readonly Tracked[]): readonly Conflict[] {
  const found = new Map<string, Conflict>();
  for (const { workload, standing } of namespace) {
    const wins = standing.policy.name === name;
    const others = wins ? standing.yielding : standing.yielding.includes(name) ? [standing.policy.name] : [];
    for (const policy of others) {
      const id = `${wins} ${policy}`;
      const before = found.get(id);
      const example = before?.example ?? `${workload.kind}/${workload.metadata.name}`;
      found.set(id, { policy, wins, workloads: (before?.workloads ?? 0) + 1, example });
    }
  }
  return [...found.values()].sort((a, b) => compareText(a.policy, b.policy)).slice(0, MAX_CONFLICTS);
}

function idOf({ kind, name }: Attention): string {
  return `${kind}/${name}`;
}

/** Returns `Kind/name` of a workload key. */
function nameOf(key: string): string {
  const { kind, name } = partsOfWorkloadKey(key);
  return `${kind}/${name}`;
}
