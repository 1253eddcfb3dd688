import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/log.ts';
import { choosePath, planPath, takePathStep } from './rotation.ts';
import type { PathPeers, PathSet, PathState } from './rotation.ts';

export interface PathsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Returns the tokens in the cluster's configuration. */
  readonly published: () => readonly string[];
  /** Returns since when (Clock.elapsed()) a token has been the only one there; undefined: it is not. */
  readonly publishedSince: (token: string) => number | undefined;
  readonly peers: () => PathPeers;
  /** See PathState. */
  readonly publishes: boolean;
  /** See PathState. */
  readonly isExposed: () => boolean;
  /** Called when a token has been replaced by a new one. */
  readonly onRotated: () => void;
  /** How long API servers get to learn another path, in milliseconds. */
  readonly waitMs: number;
}

/** Decides about the tokens that CertificateKeeper keeps in its Secret, and about the one that is published. */
export class Paths {
  readonly #options: PathsOptions;
  #current: string | undefined;

  constructor(options: PathsOptions) {
    this.#options = options;
  }

  /** Returns what to store instead of what was found; `asked` is the value by which somebody asks for a renewal. */
  step(found: PathSet | undefined, asked: string | undefined): PathSet {
    const { clock, logger, published, publishes, isExposed } = this.#options;
    const state: PathState = {
      found,
      published: published(),
      isSettled: this.#isSettled(),
      publishes,
      asked,
      isExposed: isExposed(),
    };
    const step = planPath(state, clock.now());
    if (step !== 'Rest') logger.info({ step }, 'path of the webhook');
    return takePathStep(step, state, clock.now());
  }

  /** Call it with what has been stored, or read by a replica that does not lead. */
  use(set: PathSet | undefined): void {
    if (set?.current === this.#current) return;
    if (this.#current !== undefined) this.#options.onRotated();
    this.#current = set?.current;
  }

  /** Returns the token to publish; undefined while there is none. */
  chosen(set: PathSet | undefined): string | undefined {
    return choosePath(set, this.#only(), this.#options.peers());
  }

  /** Returns the milliseconds until the next step may be due without anything else that happens. */
  remainingMs(set: PathSet | undefined): number | undefined {
    const { clock, publishedSince, waitMs } = this.#options;
    const only = this.#only();
    const since = only === undefined ? undefined : publishedSince(only);
    if (since === undefined || set === undefined || set.previous.every((token) => token === only)) return undefined;
    return Math.max(0, since + waitMs - clock.elapsed());
  }

  /** Returns the token in all paths of the configuration; undefined if there is none, or not one alone. */
  #only(): string | undefined {
    const published = this.#options.published();
    return published.length === 1 ? published[0] : undefined;
  }

  #isSettled(): boolean {
    const { clock, publishedSince, peers, waitMs } = this.#options;
    const only = this.#only();
    const since = only === undefined ? undefined : publishedSince(only);
    if (only === undefined || since === undefined || clock.elapsed() < since + waitMs) return false;
    const { known, areOlder, lacks } = peers();
    return known && !areOlder && !lacks(only);
  }
}
