import { Counter, Gauge, type Registry as Register } from 'prom-client';

import { watchedKinds } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { RequestResult } from './mender.ts';
import type { Action } from '../../core/workload/plan.ts';
import { REQUEST_KINDS } from '../../core/workload/request.ts';
import { STATE_NAMES } from '../../core/workload/standing.ts';
import type { State } from '../../core/workload/standing.ts';

/** Read when a scrape asks. */
export interface WorkloadFigures {
  readonly counts: () => Readonly<Partial<Record<State, number>>>;
  /** Of those that are Missed, how many ran before their policy. */
  readonly newcomers: () => number;
  /** Workloads that would be injected if a policy of their namespace named their kind; by kind. */
  readonly uncovered: () => Readonly<Partial<Record<WorkloadKind, number>>>;
  /** Workloads whose rollout the operator is waiting for. */
  readonly rolling: () => number;
  /** Policies with workloads that wait for a slot of the whole cluster. */
  readonly waiting: () => number;
  readonly unanswered: () => number;
}

export interface WorkloadMetrics {
  requested(kind: Action['kind'], result: RequestResult): void;
}

/** Registers metrics of workloads in `register`. No label holds a name, so there are few series. */
export function createWorkloadMetrics(register: Register, figures: WorkloadFigures): WorkloadMetrics {
  const registers = [register];
  new Gauge({
    name: 'vault_injection_workloads',
    help: 'Workloads that a policy applies to, by state; every replica counts all of them, so do not add up replicas.',
    labelNames: ['state'],
    registers,
    collect() {
      const counts = figures.counts();
      for (const state of STATE_NAMES) this.set({ state }, counts[state] ?? 0);
    },
  });
  new Gauge({
    name: 'vault_injection_workloads_not_adopted',
    help:
      'Workloads in state Missed that ran before their policy: they are left to its rollout, and are missed on purpose. ' +
      'Every replica counts all of them.',
    registers,
    collect() {
      this.set(figures.newcomers());
    },
  });
  new Gauge({
    name: 'vault_injection_uncovered_workloads',
    help:
      'Workloads that refer to Vault, of kinds that no policy of their namespace names in targets: their programs get the ' +
      'text of the references. By kind; every replica counts all of them.',
    labelNames: ['kind'],
    registers,
    collect() {
      const counts = figures.uncovered();
      this.reset();
      for (const kind of new Set([...watchedKinds(), ...Object.keys(counts)])) this.set({ kind }, counts[kind] ?? 0);
    },
  });
  new Gauge({
    name: 'vault_injection_rolling_workloads',
    help: 'Workloads whose pods are being replaced because the operator asked for it.',
    registers,
    collect() {
      this.set(figures.rolling());
    },
  });
  new Gauge({
    name: 'vault_injection_waiting_policies',
    help: 'Policies whose next rollout waits until fewer workloads of the cluster are rolling (setting maxRollouts).',
    registers,
    collect() {
      this.set(figures.waiting());
    },
  });
  new Gauge({
    name: 'vault_injection_inventory_unanswered',
    help: 'Open look-ups of images and other objects that workloads depend on.',
    registers,
    collect() {
      this.set(figures.unanswered());
    },
  });
  const requests = new Counter({
    name: 'vault_injection_requests_total',
    help: 'Annotations written to workloads to trigger admission, by kind and result.',
    labelNames: ['kind', 'result'],
    registers,
  });
  for (const kind of REQUEST_KINDS) requests.inc({ kind, result: 'Done' }, 0);
  return { requested: (kind, result) => requests.inc({ kind, result }) };
}
