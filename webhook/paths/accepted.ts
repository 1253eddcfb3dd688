import { timingSafeEqual } from 'node:crypto';

import type { Clock } from '../../kube/clock.ts';
import { isPathToken, TOKEN_LENGTH } from '../../core/path-token.ts';
import { PATH_ENTRIES, PATH_PREFIX, UNGUARDED } from './path.ts';
import type { PathEntry } from './path.ts';

/** A token that is accepted before `until` (Clock.elapsed()). */
interface Accepted {
  readonly token: string;
  readonly bytes: Buffer;
  readonly until: number;
}

/** The paths at which a server answers. */
export class AcceptedPaths {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #graceMs: number;
  #accepted: readonly Accepted[] = [];
  #unguardedUntil = -Infinity;
  readonly #given = Buffer.alloc(TOKEN_LENGTH);

  /**
   * @param graceMs how long tokens are still accepted that set() leaves out: for API servers that still send them although
   * somebody has put an earlier Secret in place of the one that had them
   */
  constructor(clock: Pick<Clock, 'elapsed'>, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Sets the tokens that are accepted from now on; UNGUARDED among them: paths without a token. */
  set(tokens: readonly string[]): void {
    const now = this.#clock.elapsed();
    const grace = now + this.#graceMs;
    const kept = tokens
      .filter((token) => token !== UNGUARDED)
      .map((token) => ({ token, bytes: Buffer.from(token, 'latin1'), until: Infinity }));
    const left = this.#accepted
      .filter(({ token, until }) => until > now && !tokens.includes(token))
      .map((one) => ({ ...one, until: Math.min(one.until, grace) }));
    this.#accepted = [...kept, ...left];
    this.#unguardedUntil = tokens.includes(UNGUARDED) ? Infinity : Math.min(this.#unguardedUntil, grace);
  }

  /**
   * Returns which entry of the configuration a URL belongs to; undefined: no API server sends it. How long that takes
   * tells nothing about the tokens.
   */
  entryOf(url = ''): PathEntry | undefined {
    if (!url.startsWith(PATH_PREFIX)) return undefined;
    const end = PATH_PREFIX.length + TOKEN_LENGTH;
    const now = this.#clock.elapsed();
    if (url[end] !== '/') return now < this.#unguardedUntil ? entryAt(url, PATH_PREFIX.length) : undefined;
    // one buffer for all: creating another costs as much as comparing
    const given = this.#given;
    given.write(url.slice(PATH_PREFIX.length, end), 'latin1');
    let isAccepted = false;
    for (const { bytes, until } of this.#accepted)
      isAccepted = (timingSafeEqual(bytes, given) && now < until) || isAccepted;
    return isAccepted ? entryAt(url, end + 1) : undefined;
  }

  /** Whether a URL has the shape of those that API servers send: with any token and entry. */
  isShaped(url = ''): boolean {
    const end = PATH_PREFIX.length + TOKEN_LENGTH;
    return (
      url.startsWith(PATH_PREFIX) &&
      entryAt(url, end + 1) !== undefined &&
      isPathToken(url.slice(PATH_PREFIX.length, end))
    );
  }
}

function entryAt(url: string, at: number): PathEntry | undefined {
  for (const entry of PATH_ENTRIES) {
    const end = at + entry.length;
    if (url.startsWith(entry, at) && (url.length === end || url[end] === '?')) return entry;
  }
  return undefined;
}
