/** What a plan is made from, and what it consists of. Plain data. */
import type { ReasonCode } from '../reasons.ts';
import type { RequestKind } from './request.ts';
import type { Standing } from './standing.ts';
import type { Workload } from './workload.ts';

/** A workload that a policy applies to. */
export interface Tracked {
  /** As workloadKey() returns it. */
  readonly key: string;
  readonly workload: Workload;
  readonly standing: Standing;
  /** A request about it was sent to the API server, and its effect has not been seen yet. */
  readonly pending: boolean;
  /** This process has seen it injected since the request in its annotation. */
  readonly seenInjected: boolean;
  /** Consecutive requests of this process that changed nothing. */
  readonly fruitless: number;
  /** What this process knows about time; left out, the times in the object decide. */
  readonly ages?: Ages;
}

/**
 * Milliseconds by a clock that nobody sets. What happened before this process saw it counts by the time that the object
 * says; a time in the future counts as now.
 */
export interface Ages {
  /** Since the request in its annotation. */
  readonly requestMs: number;
  /** Since its template was last written by somebody else. */
  readonly templateMs: number;
  /** Since its pods last made progress, at most since this process saw them first. */
  readonly quietMs: number;
  /** How long, since the request, all of its pods have been available without a break, at the longest. */
  readonly steadyMs: number;
  /** For how long its rollout has been complete while not all of its pods are available. */
  readonly brokenMs: number;
}

export interface Action {
  readonly key: string;
  readonly kind: RequestKind | 'Baseline' | 'ClearApply';
  /** Merge patch for the workload's annotations. */
  readonly annotations: Readonly<Record<string, string | null>>;
  /** What to report about it. */
  readonly message: string;
}

export interface Stall {
  readonly key: string;
  readonly reason: Extract<ReasonCode, 'RepairUndone' | 'RolloutFailed' | 'RequestWithoutEffect'>;
  readonly message: string;
}

export interface Plan {
  readonly actions: readonly Action[];
  readonly stalls: readonly Stall[];
  /** Keys of workloads whose pods are being replaced at the operator's request. */
  readonly rolling: readonly string[];
  /** How many of them have made no progress for ten minutes: others in the cluster need not wait for them. */
  readonly stuck: number;
  /** More would be rolled now if the whole cluster had more slots. */
  readonly isWaiting: boolean;
  /** Milliseconds after which to plan again even if nothing has changed. */
  readonly againInMs?: number;
}
