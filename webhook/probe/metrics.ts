import { Counter, Gauge } from 'prom-client';
import type { Registry as Register } from 'prom-client';

import type { Finding } from './reachability.ts';
import { PROBE_RESULTS } from './result.ts';
import type { ProbeResult } from './result.ts';

export interface ProbeMetrics {
  probed(result: ProbeResult): void;
  /** Sets the source of what is known; undefined and Unknown: the series is left out. Call it once. */
  watchReachable(read: () => Finding['status'] | undefined): void;
}

/** Registers metrics in `register`. */
export function createProbeMetrics(register: Register): ProbeMetrics {
  const registers = [register];
  const probes = new Counter({
    name: 'vault_injection_webhook_probes_total',
    help: 'Dry runs by which the leader finds out whether API servers reach the webhook, by result.',
    labelNames: ['result'],
    registers,
  });
  for (const result of PROBE_RESULTS) probes.inc({ result }, 0);
  return {
    probed: (result) => probes.inc({ result }),
    watchReachable: (read) => {
      new Gauge({
        name: 'vault_injection_webhook_reachable',
        help: '1 if the API server reaches the webhook, 0 if it does not; only in the leader, when it has found out.',
        registers,
        collect() {
          const status = read();
          if (status === 'True' || status === 'False') this.set(status === 'True' ? 1 : 0);
          else this.remove();
        },
      });
    },
  };
}
