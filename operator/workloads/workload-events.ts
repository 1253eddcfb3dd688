import type { EventRecorder, Regarding } from '../../kube/event-recorder.ts';
import { apiVersionIn } from '../../core/kinds.ts';
import type { Rule } from '../../core/policy/rule.ts';
import type { ReasonCode } from '../../core/reasons.ts';
import { POLICIES } from '../policies/reconciler.ts';
import type { Judgement } from './inventory.ts';
import type { Action } from '../../core/workload/plan.ts';
import { isToldOf, STATES } from '../../core/workload/standing.ts';
import type { Standing } from '../../core/workload/standing.ts';
import type { Workload } from '../../core/workload/workload.ts';

/** Records events: kube/event-recorder.ts. */
export type EventSink = Pick<EventRecorder, 'record'>;

export interface WorkloadEventsOptions {
  readonly events: EventSink;
  /** All replicas see the same workloads; only one records. */
  readonly isLeader: () => boolean;
}

const DONE = { Repair: 'Repaired', Adoption: 'Adopted', Rollout: 'RolloutStarted', Restart: 'RestartStarted' } as const;

/** Events about workloads and their policies, in the words of the catalogue of reasons. */
export class WorkloadEvents {
  readonly #options: WorkloadEventsOptions;

  constructor(options: WorkloadEventsOptions) {
    this.#options = options;
  }

  /** Records that the standing of a workload has changed. */
  judged({ workload, standing, before }: Judgement): void {
    if (standing === undefined) return;
    const { state, reason, message } = standing;
    if (before?.state === state && before.reason === reason && before.message === message) return;
    this.stands(workload, standing);
  }

  /**
   * Records the standing of a workload if somebody should know it; also called when this replica becomes the leader.
   */
  stands(workload: Workload, { state, reason, message, policy }: Standing): void {
    const isTold = STATES[state].isTold || (reason !== undefined && isToldOf({ reason }));
    if (!isTold || !this.#options.isLeader()) return;
    const text = `${message ?? state} (policy ${policy.name})`;
    this.#record(regardingOf(workload), 'Warning', reason ?? 'NotInjected', text);
  }

  /** Records that admission did what the operator asked for. */
  acted({ kind, message }: Action, workload: Workload, standing: Standing | undefined): void {
    // a baseline or a removed annotation changes no pod
    if (kind === 'Baseline' || kind === 'ClearApply' || standing?.state !== 'Injected') return;
    this.#record(regardingOf(workload), 'Normal', DONE[kind], `${message} (policy ${standing.policy.name})`);
  }

  /** Records on a workload that it does not get to the state that it should; that of its policy has Events of its own. */
  stalled(workload: Workload | undefined, why: { readonly reason: ReasonCode; readonly message: string }): void {
    if (workload === undefined || !this.#options.isLeader()) return;
    this.#record(regardingOf(workload), 'Warning', why.reason, why.message);
  }

  /**
   * Records that admission of some replica denied a workload, on the policy, because the workload may not exist.
   */
  denied(
    rule: Pick<Rule, 'policy'>,
    { kind, name }: { readonly kind: string; readonly name: string },
    message: string,
  ): void {
    this.#record(regardingPolicy(rule), 'Warning', 'Denied', `${kind} ${name}: ${message}`);
  }

  #record(regarding: Regarding, type: 'Normal' | 'Warning', reason: ReasonCode, message: string): void {
    this.#options.events.record({ regarding, type, reason, message });
  }
}

function regardingOf({ traits, metadata: { namespace, name, uid } }: Workload): Regarding {
  return { apiVersion: apiVersionIn(traits), kind: traits.kind, namespace, name, uid };
}

function regardingPolicy({ policy: { namespace, name, uid } }: Pick<Rule, 'policy'>): Regarding {
  return { apiVersion: `${POLICIES.group}/${POLICIES.version}`, kind: 'VaultInjectionPolicy', namespace, name, uid };
}
