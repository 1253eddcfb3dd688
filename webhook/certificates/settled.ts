import type { Clock } from '../../kube/clock.ts';
import { certificateBlocks } from '../../core/pem.ts';

export interface SettledOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Returns since when (Clock.elapsed()) the cluster's configuration has had this certificate; undefined: it does not. */
  readonly publishedSince: (certificatePem: string) => number | undefined;
  /** Returns the bundle (PEM) of the cluster's configuration; undefined if nothing there calls this webhook. */
  readonly publishedBundle: () => string | undefined;
  /** How long API servers get to learn a new authority before a certificate of it is served, in milliseconds. */
  readonly waitMs: number;
}

/** Knows which authorities API servers trust: those that have been published for long enough. */
export class Settled {
  readonly #options: SettledOptions;

  constructor(options: SettledOptions) {
    this.#options = options;
  }

  /** Whether every API server trusts this authority (PEM). */
  has(certificatePem: string): boolean {
    return this.inMs(certificatePem) === 0;
  }

  /** Returns in how many milliseconds it will be so; undefined while it is not published. */
  inMs(certificatePem: string): number | undefined {
    const { clock, publishedSince, waitMs } = this.#options;
    const since = publishedSince(certificatePem);
    return since === undefined ? undefined : Math.max(0, since + waitMs - clock.elapsed());
  }

  /** Returns the authorities (PEM) that API servers have trusted for longer than this one; undefined: not known yet. */
  longerThan(certificatePem: string): string | undefined {
    const { publishedBundle, publishedSince } = this.#options;
    const since = publishedSince(certificatePem) ?? Infinity;
    const published = publishedBundle();
    if (published === undefined) return undefined;
    return certificateBlocks(published)
      .filter((pem) => (publishedSince(pem) ?? Infinity) < since)
      .join('\n');
  }
}
