import { certificateBlocks } from '../../core/pem.ts';
import { fingerprintOf } from './inspect.ts';

/** What the other replicas say about authorities, each named by its SHA-256 fingerprint. */
export interface OtherReplicas {
  /** Whether the others could be asked. */
  readonly known: () => boolean;
  /** Whether one of them serves a certificate of this authority. */
  readonly serves: (fingerprint: string) => boolean;
  /** Whether one of them that serves does not have this authority in its bundle. */
  readonly lacks: (fingerprint: string) => boolean;
}

interface Known {
  readonly pem: string;
  readonly isNeeded: boolean;
  /** Until when it is known to have been needed, by Clock.elapsed(). */
  readonly neededAt: number;
}

/** What is there at one moment. All bundles are PEM. */
export interface Moment {
  /** The bundle of the Secret. */
  readonly stored: string;
  /** The bundle of the cluster's configuration. */
  readonly published: string;
  /** Fingerprint of the authority of what this replica serves; '' if it serves nothing. */
  readonly ownFingerprint: string;
  /** Clock.elapsed(). */
  readonly now: number;
}

/**
 * Remembers which authorities replicas need in the published bundle, because they serve certificates of them. What the
 * Secret says does not decide this alone: somebody may have restored an older one from a backup.
 */
export class NeededAuthorities {
  readonly #others: OtherReplicas;
  readonly #waitMs: number;
  /** Key: fingerprint. */
  readonly #known = new Map<string, Known>();

  /** `waitMs`: for how long an authority must not have been needed before it counts as no longer needed. */
  constructor(others: OtherReplicas, waitMs: number) {
    this.#others = others;
    this.#waitMs = waitMs;
  }

  /** Notes what is needed at this moment; returns the authorities (PEM) to publish although the Secret lacks them. */
  look({ stored, published, ownFingerprint, now }: Moment): readonly string[] {
    const isNeeded = (fingerprint: string): boolean =>
      fingerprint === ownFingerprint || this.#others.serves(fingerprint);
    const inSecret = new Map(certificateBlocks(stored).map((pem) => [fingerprintOf(pem), pem]));
    const inUse = certificateBlocks(published).map((pem): [string, string] => [fingerprintOf(pem), pem]);
    for (const [fingerprint, pem] of [...inSecret, ...inUse.filter(([one]) => isNeeded(one))]) {
      // a process that has just started does not know since when it has not been needed
      if (!this.#known.has(fingerprint)) this.#known.set(fingerprint, { pem, isNeeded: false, neededAt: now });
    }
    for (const [fingerprint, before] of this.#known) {
      const needed = isNeeded(fingerprint);
      // also when it has just ceased to be needed: nobody knows when since the last look
      if (needed || before.isNeeded) this.#known.set(fingerprint, { ...before, isNeeded: needed, neededAt: now });
    }
    const others = [...this.#known].filter(([fingerprint]) => !inSecret.has(fingerprint));
    for (const [fingerprint] of others) if (this.remainingMs(fingerprint, now) === 0) this.#known.delete(fingerprint);
    return others.filter(([fingerprint]) => this.#known.has(fingerprint)).map(([, { pem }]) => pem);
  }

  /** Returns for how many milliseconds an authority counts as needed from now on, unless it is needed again. */
  remainingMs(fingerprint: string, now: number): number {
    const known = this.#known.get(fingerprint);
    return known === undefined ? 0 : Math.max(0, known.neededAt + this.#waitMs - now);
  }

  /**
   * Whether a replica still needs the authority that leaves, because it serves it or lacks its successor. Undefined: not
   * known, or not for long enough.
   */
  holdsBack(leaving: string, successor: string, now: number): boolean | undefined {
    if (this.#known.get(leaving)?.isNeeded === true || this.#others.lacks(successor)) return true;
    return this.#others.known() && this.remainingMs(leaving, now) === 0 ? false : undefined;
  }
}
