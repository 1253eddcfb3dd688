import { Counter, Gauge } from 'prom-client';
import type { Registry as Register } from 'prom-client';
import { FAILURE_CODES } from './failure.ts';
import type { FailureCode } from './failure.ts';

/**
 * How a look-up of an image ended. Remembered: from the cache; Found: by a registry; Kept: not available now, so the
 * previous answer still counts.
 */
export type LookUpResult = 'Remembered' | 'Found' | 'Kept' | FailureCode;

export interface ImageMetrics {
  lookedUp(result: LookUpResult): void;
  /** Sets the source of the number of images in the cache. */
  watchSize(read: () => number): void;
}

/** Registers metrics in `register`. No label holds an image or a registry, so there are few series. */
export function createImageMetrics(register: Register): ImageMetrics {
  const registers = [register];
  const lookUps = new Counter({
    name: 'vault_injection_image_lookups_total',
    help: 'Look-ups of image entry points, by result.',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['Remembered', 'Found', 'Kept', ...FAILURE_CODES]) lookUps.inc({ result }, 0);
  return {
    lookedUp: (result) => lookUps.inc({ result }),
    watchSize: (read) => {
      new Gauge({
        name: 'vault_injection_image_cache_size',
        help: 'Images whose entry point is cached.',
        registers,
        collect() {
          this.set(read());
        },
      });
    },
  };
}
