import { Counter, Gauge } from 'prom-client';
import type { Registry as Register } from 'prom-client';

/**
 * How a look-up of an object ended. Remembered: from the cache; Kept: it could not be read now, so the previous answer
 * still counts; Failed: it could not be read and nothing was known; Busy: the same, because too many were being read;
 * TooSlow: the same, because the review's time was up.
 */
export type ReadResult = (typeof READ_RESULTS)[number];
const READ_RESULTS = ['Remembered', 'Read', 'Missing', 'Forbidden', 'Kept', 'Failed', 'Busy', 'TooSlow'] as const;

export interface SourceMetrics {
  asked(result: ReadResult): void;
  /** Sets the source of the number of objects in the cache. */
  watchSize(read: () => number): void;
}

/** Registers metrics in `register`. No label holds a name, so there are few series. */
export function createSourceMetrics(register: Register): SourceMetrics {
  const registers = [register];
  const reads = new Counter({
    name: 'vault_injection_source_reads_total',
    help: 'Look-ups of ConfigMaps and Secrets that variables come from, by result.',
    labelNames: ['result'],
    registers,
  });
  for (const result of READ_RESULTS) reads.inc({ result }, 0);
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
