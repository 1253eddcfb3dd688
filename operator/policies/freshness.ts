import { compareVersions } from '../../core/resource-version.ts';
import type { Clock } from '../../kube/clock.ts';

export interface FreshnessOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Returns when the API server last confirmed the policies, by Clock.elapsed(); undefined: never. */
  readonly lastSeen: () => number | undefined;
  /** Returns the resourceVersion up to which the rules are in force here; undefined before they are loaded. */
  readonly inForce: () => string | undefined;
  /** Returns the newest one that any other replica has published; undefined if there is none. */
  readonly published: () => string | undefined;
}

/**
 * A watch of policies lasts at most eight seconds, and its end confirms the copy; a connection that breaks is opened
 * again within a second. So a copy this old has lost its API server.
 */
export const STALE_MS = 15_000;
/** An event takes milliseconds from one replica to the other; a replica that is busy starting takes a few seconds. */
export const BEHIND_MS = 10_000;
/** Longer than an event takes between two replicas that are well. */
export const DOUBT_MS = 2_000;

/** Whether this replica may know less about policies than others do. */
export class Freshness {
  readonly #options: FreshnessOptions;
  /** The oldest published version that is missing here, and since when, by Clock.elapsed(). */
  #missing: { readonly version: string; readonly since: number } | undefined;
  #own: string | undefined;
  /** The API server was restored from a backup: versions that were published before may never come. */
  #isRestored = false;

  constructor(options: FreshnessOptions) {
    this.#options = options;
  }

  /**
   * Why this replica should not get reviews, in a few words; undefined if the rules are as new as anybody's. For
   * readiness, which takes a moment to take effect and to come back.
   */
  get problem(): string | undefined {
    return this.#problem(BEHIND_MS);
  }

  /** Why this replica should not decide on a review now: sooner than `problem`, because it may be sent again in a second. */
  get doubt(): string | undefined {
    return this.#problem(DOUBT_MS);
  }

  #problem(behindMs: number): string | undefined {
    const { clock, lastSeen, inForce } = this.#options;
    if (inForce() === undefined) return 'not all of them are loaded yet';
    const seen = lastSeen();
    if (seen === undefined || clock.elapsed() - seen > STALE_MS) {
      return 'they may be out of date: the API server has not confirmed them for 15 s';
    }
    this.look();
    if (this.#missing !== undefined && clock.elapsed() - this.#missing.since > behindMs) {
      return `they are out of date: another replica has had newer ones for ${behindMs / 1_000} s`;
    }
    return undefined;
  }

  /** Call it when other replicas have published something. */
  look(): void {
    const { clock, inForce, published } = this.#options;
    const own = inForce();
    if ((compareVersions(own, this.#own) ?? 0) < 0) this.#isRestored = true;
    this.#own = own;
    const isMissing = (version: string | undefined): version is string => (compareVersions(version, own) ?? 0) > 0;
    const newest = published();
    const isStill = this.#missing !== undefined && isMissing(this.#missing.version);
    // else also if the replica that had it is gone
    if (isStill && (!this.#isRestored || isMissing(newest))) return;
    this.#missing = isMissing(newest) ? { version: newest, since: clock.elapsed() } : undefined;
  }
}
