import type { WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
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
