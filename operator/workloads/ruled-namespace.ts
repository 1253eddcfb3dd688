import type { WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { bounded, lightened, MOST_OF_NAMESPACE, weightOf } from '../../core/workload/standing-weight.ts';
import type { Standing } from '../../core/workload/standing.ts';
import type { Workload } from '../../core/workload/workload.ts';

/** What is kept of a workload. */
export interface Entry {
  workload: Workload;
  standing: Standing | undefined;
  /** The rules that it was last judged by; undefined: not judged yet. */
  judgedBy: number | undefined;
  readonly isNew: boolean;
}

/** A namespace that has rules: its workloads, and what is still to be done until all are judged by these rules. */
export class RuledNamespace {
  readonly entries = new Map<string, Entry>();
  /** Whole workloads that wait to be judged: the only ones in memory. */
  readonly arrived = new Map<string, KubernetesObject>();
  /** Keys of workloads that have to be fetched again, to be judged by what is known now. */
  readonly wanted = new Set<string>();
  /** Characters that the standings hold. */
  #weight = 0;
  /** Counts changes of the rules. */
  rules = 0;
  /** The rules since which all workloads have come by. */
  covered: number;

  /** @param isCovered whether the first list of the cluster brings all its workloads */
  constructor(isCovered: boolean) {
    this.covered = isCovered ? 0 : -1;
  }

  /** Whether all of its workloads have been known once. */
  get isKnown(): boolean {
    return this.covered >= 0;
  }

  /** Notes the standing of a workload; returns what is kept of it, which is less if the namespace has no room for all. */
  judged(entry: Entry, standing: Standing | undefined): Standing | undefined {
    const others = this.#weight - (entry.standing === undefined ? 0 : weightOf(entry.standing));
    const whole = standing && bounded(standing);
    const kept = whole && others + weightOf(whole) > MOST_OF_NAMESPACE ? lightened(whole) : whole;
    this.#weight = others + (kept === undefined ? 0 : weightOf(kept));
    entry.standing = kept;
    entry.judgedBy = this.rules;
    return kept;
  }

  /** Forgets a workload. */
  drop(key: string): void {
    const standing = this.entries.get(key)?.standing;
    if (standing !== undefined) this.#weight -= weightOf(standing);
    this.entries.delete(key);
  }

  get isSettled(): boolean {
    return this.arrived.size === 0 && this.wanted.size === 0 && this.covered === this.rules;
  }

  /** Whether any workload of this kind is known. */
  has(kind: WorkloadKind): boolean {
    for (const { workload } of this.entries.values()) if (workload.kind === kind) return true;
    return false;
  }

  /** Whether a workload waits to be judged, or to be fetched for it. */
  isWaiting(key: string): boolean {
    return this.arrived.has(key) || this.wanted.has(key);
  }

  /** Whether it has been judged by these rules, or will be as soon as its turn comes. */
  isUpToDate(key: string, entry: Entry, rules: number): boolean {
    return this.arrived.has(key) || (entry.judgedBy !== undefined && entry.judgedBy >= rules);
  }
}
