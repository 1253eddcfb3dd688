import { collectDefaultMetrics, Counter, Gauge, type Registry as Register } from 'prom-client';

import type { EventRecorderOptions } from '../kube/event-recorder.ts';
import type { InformerObserver } from '../kube/informer.ts';
import type { ConditionCounts } from './policies/condition-counts.ts';
import { VERSION } from './version.ts';

export interface OperatorMetrics extends InformerObserver {
  /** Sets the source of how many policies have each status of each condition. Call it once. */
  showConditions(read: () => ConditionCounts): void;
}

/**
 * Registers metrics of the process, of its copies of what the API server has, and of policies in `register`.
 * @param ages returns the milliseconds since the API server last confirmed the copy of each resource
 */
export function createOperatorMetrics(register: Register, ages: () => ReadonlyMap<string, number>): OperatorMetrics {
  const registers = [register];
  collectDefaultMetrics({ register });
  const build = new Gauge({
    name: 'vault_injection_build_info',
    help: 'Always 1; its labels say which version of the operator this is.',
    labelNames: ['version'] as const,
    registers,
  });
  build.set({ version: VERSION }, 1);
  new Gauge({
    name: 'vault_injection_watch_age_seconds',
    help:
      "Seconds since the API server last confirmed this replica's copy of a resource (by a list, an event, a bookmark or " +
      'the end of a watch), or since the watch began, by resource; only while the resource is watched. Up to 120 is normal.',
    labelNames: ['resource'] as const,
    registers,
    collect() {
      this.reset();
      for (const [resource, ms] of ages()) this.set({ resource }, ms / 1000);
    },
  });
  const relists = new Counter({
    name: 'vault_injection_relists_total',
    help: 'Times that all policies were listed: at start, every relist interval, and after a lost watch.',
    registers,
  });
  const retries = new Counter({
    name: 'vault_injection_watch_retries_total',
    help: 'Failed lists and watches of policies that were retried.',
    registers,
  });
  const showConditions = (read: () => ConditionCounts): Gauge<'condition' | 'status'> =>
    new Gauge({
      name: 'vault_injection_policy_condition',
      help:
        'Policies whose status has a condition with this status, by condition; every replica counts all policies, so do ' +
        'not add up replicas. Reconciling and Stalled are in a status only while they are True.',
      labelNames: ['condition', 'status'] as const,
      registers,
      collect() {
        for (const { condition, status, count } of read()) this.set({ condition, status }, count);
      },
    });
  return { onRelist: () => relists.inc(), onRetry: () => retries.inc(), showConditions };
}

/** The outcome of an event: kube/event-recorder.ts. */
type EventOutcome = Parameters<NonNullable<EventRecorderOptions['onOutcome']>>[0];

/** Registers metrics of leadership, and of the outcomes of this replica's events, in `register`. */
export function createLeaderMetrics(
  register: Register,
  isLeader: () => boolean,
): { told(outcome: EventOutcome): void } {
  const registers = [register];
  new Gauge({
    name: 'vault_injection_leader',
    help: '1 in the leader, which writes statuses and repairs workloads; 0 in all other replicas.',
    registers,
    collect() {
      this.set(isLeader() ? 1 : 0);
    },
  });
  const events = new Counter({
    name: 'vault_injection_events_total',
    help: 'Events about workloads and policies: Written, Failed (the API server refused), Dropped (more than the rate allows).',
    labelNames: ['outcome'] as const,
    registers,
  });
  const outcomes: readonly EventOutcome[] = ['Written', 'Failed', 'Dropped'];
  for (const outcome of outcomes) events.inc({ outcome }, 0);
  return { told: (outcome) => events.inc({ outcome }) };
}
