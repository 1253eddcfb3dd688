import { collectDefaultMetrics, Counter, Gauge, type Registry } from 'prom-client';

import type { InformerObserver } from './kubernetes/informer.ts';

/** Counts what happens on the way to the API server, and the process's own figures, into `registry`. */
export function createOperatorMetrics(registry: Registry, lastSeen: () => number | undefined): InformerObserver {
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const relists = new Counter({
    name: 'vault_injection_relists_total',
    help: 'Times that all policies were listed: at the start, every relist interval, and after a watch that was lost.',
    registers,
  });
  const retries = new Counter({
    name: 'vault_injection_watch_retries_total',
    help: 'Lists and watches of policies that failed and were tried again.',
    registers,
  });
  new Gauge({
    name: 'vault_injection_policies_last_seen_seconds',
    help: 'When the API server last proved the known policies fresh, in seconds since the epoch.',
    registers,
    collect() {
      const ms = lastSeen();
      if (ms === undefined) this.reset();
      else this.set(ms / 1000);
    },
  });
  return { onRelist: () => relists.inc(), onRetry: () => retries.inc() };
}
