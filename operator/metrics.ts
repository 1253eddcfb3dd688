import { collectDefaultMetrics, Counter, Gauge, type Registry as Register } from 'prom-client';

import type { EventRecorderOptions } from '../kube/event-recorder.ts';
import type { InformerObserver } from '../kube/informer.ts';

export interface OperatorMetrics extends InformerObserver {
  /** Sets the source of when the API server last confirmed the policies, in milliseconds since the epoch. Call it once. */
  show(lastSeen: () => number | undefined): void;
}

/** Registers metrics of requests to the API server and of the process in `register`. */
export function createOperatorMetrics(register: Register): OperatorMetrics {
  const registers = [register];
  collectDefaultMetrics({ register });
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
  const show = (lastSeen: () => number | undefined): Gauge =>
    new Gauge({
      name: 'vault_injection_policies_last_seen_seconds',
      help: 'When the API server last confirmed that the known policies are current, in seconds since the epoch.',
      registers,
      collect() {
        const ms = lastSeen();
        if (ms === undefined) this.reset();
        else this.set(ms / 1000);
      },
    });
  return { onRelist: () => relists.inc(), onRetry: () => retries.inc(), show };
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
