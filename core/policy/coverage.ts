/** Workloads of kinds that no policy of their namespace names: which policy would apply to them if it did. Pure. */
import { whenMadeOf } from '../kinds.ts';
import type { Maker, WorkloadKind } from '../kinds.ts';
import { matchesSelector } from './match.ts';
import type { Governor } from './rule.ts';

/** A workload, as far as it matters to which policies apply to it. */
export interface Subject {
  readonly kind: WorkloadKind;
  readonly labels: Readonly<Record<string, string>>;
  /** Of its pod template: selectors of policies for pods look at these. */
  readonly podLabels?: Readonly<Record<string, string>>;
  /** See makerOf() of core/kinds.ts. */
  readonly maker?: Maker | undefined;
}

/** A kind that no policy of the namespace names. */
export interface Gap {
  /** What has to be named: that of the template which counts, if a controller has made the workload from it. */
  readonly kind: WorkloadKind;
  /** Those that would apply if they named it, the winner first; none if the labels exclude the workload from all. */
  readonly governors: readonly Governor[];
}

/**
 * Returns what no policy of the namespace names; undefined if one does, if the namespace has none, or if nothing could be
 * named: what a controller has made and compares with its own template is never injected.
 *
 * @param governors all policies of the namespace, the winner first
 */
export function gapOf(governors: readonly Governor[], subject: Subject): Gap | undefined {
  const { kind, labels, maker } = subject;
  if (maker === 'Other' && whenMadeOf(kind) === 'Left') return undefined;
  const named = maker === undefined || maker === 'Other' ? kind : maker;
  const isNamed = ({ targets }: Governor): boolean => targets.includes(kind) || targets.includes(named);
  if (governors.length === 0 || governors.some(isNamed) || isForWhatIsMade(governors, subject)) return undefined;
  return { kind: named, governors: governors.filter(({ selector }) => matchesSelector(selector, labels)) };
}

/**
 * Whether a policy that names the kind of what controllers make from the template of a workload, and not the workload's,
 * injects that instead (makerOf() of core/kinds.ts).
 */
export function isForWhatIsMade(
  governors: readonly Governor[],
  { kind, labels, podLabels = labels }: Subject,
): boolean {
  const made: readonly WorkloadKind[] = kind === 'Pod' ? [] : kind === 'CronJob' ? ['Job', 'Pod'] : ['Pod'];
  return governors.some(
    ({ targets, selector }) =>
      made.some((way) => targets.includes(way)) &&
      (matchesSelector(selector, labels) || matchesSelector(selector, podLabels)),
  );
}

/** Returns the plural of a kind, for sentences: `CronJobs`, `Rollouts.argoproj.io`. */
export function pluralOf(kind: string): string {
  return kind.replace(/^[^.]+/, '$&s');
}
