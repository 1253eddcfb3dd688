import { Counter, Gauge } from 'prom-client';
import type { Registry as Register } from 'prom-client';

/**
 * How a question after an object ended. Remembered: without asking; Kept: it could not be read now, so what was known
 * before counts on; Failed: nor was anything known; TooSlow: the same, because the time that a review waits was over.
 */
export type ReadResult = (typeof READ_RESULTS)[number];
const READ_RESULTS = ['Remembered', 'Read', 'Missing', 'Forbidden', 'Kept', 'Failed', 'TooSlow'] as const;

export interface SourceMetrics {
  asked(result: ReadResult): void;
  /** Names who knows, from now on, how many objects are remembered. */
  watchSize(read: () => number): void;
}

/** Counts into `register`. No label holds a name: series stay few. */
export function createSourceMetrics(register: Register): SourceMetrics {
  const registers = [register];
  const reads = new Counter({
    name: 'vault_injection_source_reads_total',
    help: 'Look-ups of ConfigMaps and Secrets that variables come from, by result.',
    labelNames: ['result'],
    registers,
  });
  for (const result of READ_RESULTS) reads.inc({ result }, 0);
  return {
    asked: (result) => reads.inc({ result }),
    watchSize: (read) => {
      new Gauge({
        name: 'vault_injection_source_cache_size',
        help: 'ConfigMaps and Secrets for which the operator remembers whether they hold references.',
        registers,
        collect() {
          this.set(read());
        },
      });
    },
  };
}
