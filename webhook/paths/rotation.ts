import { createPathToken, UNGUARDED } from './path.ts';

/**
 * How one token in the paths of the webhook replaces another without a moment in which an API server sends what a replica
 * refuses. Every replica accepts all tokens of the Secret, and those of the cluster's configuration.
 *
 *   Rotate   a new token is written down as the current one; the one before is accepted as well, and stays published
 *   (wait)   until every replica that serves says that it accepts the new one; then it is published
 *   (wait)   until every API server has the configuration
 *   Retire   tokens that are not published any more are not accepted any more
 *
 * As for the authorities of the certificates, each step is derived from what is stored, what is published and what
 * replicas say. The leader alone carries the steps out.
 */

/** What the Secret holds about the paths. */
export interface PathSet {
  readonly current: string;
  /** Tokens that API servers may still send; UNGUARDED among them: the paths without a token. */
  readonly previous: readonly string[];
  /** Milliseconds since the epoch: when `current` was created. */
  readonly since: number;
  /** The last request for a renewal that was honoured: see askedRenewal(). */
  readonly renewed?: string;
}

export interface PathState {
  readonly found: PathSet | undefined;
  /** The tokens in the paths of the cluster's configuration; none: nothing there leads here. */
  readonly published: readonly string[];
  /** Whether every API server sends the only published one, and every replica accepts it. */
  readonly isSettled: boolean;
  /** Whether this operator publishes tokens; else somebody does who keeps the configuration. */
  readonly publishes: boolean;
  /** The value by which somebody asks for a renewal. */
  readonly asked: string | undefined;
  /** Whether people who may not know it have seen the token: API servers repeat it in their errors. */
  readonly isExposed: boolean;
}

export type PathStep =
  /** Nothing is due. */
  | 'Rest'
  /** There is no token yet. */
  | 'Create'
  /** The configuration has one that the Secret does not know: API servers send it until another one is published. */
  | 'Adopt'
  | 'Rotate'
  | 'Retire';

/** A day: an API server that cannot reach the webhook shows the path to anybody who is refused. */
export const TOKEN_LIFE_MS = 24 * 3600_000;

/** Returns the one step that is due now. */
export function planPath(state: PathState, now: number): PathStep {
  const { found, published, isSettled, publishes, asked, isExposed } = state;
  if (found === undefined) return 'Create';
  const { current, previous, since, renewed } = found;
  if (published.some((token) => token !== current && !previous.includes(token))) return 'Adopt';
  if (isSettled && previous.some((token) => !published.includes(token))) return 'Retire';
  // one rotation after another, unless somebody else decides when the next token is published
  if (publishes && previous.length > 0) return 'Rest';
  // a clock that was set back must not keep a token for years
  const isDue = publishes && (isExposed || Math.abs(now - since) >= TOKEN_LIFE_MS);
  return isDue || (asked !== undefined && asked !== renewed) ? 'Rotate' : 'Rest';
}

/** Carries out a step; returns what to store. */
export function takePathStep(step: PathStep, { found, published, asked }: PathState, now: number): PathSet {
  const renewed = asked === undefined ? {} : { renewed: asked };
  if (found === undefined) {
    // an earlier version, or a Secret that was deleted: API servers send what is published
    return {
      current: createPathToken(),
      previous: published.length > 0 ? published : [UNGUARDED],
      since: now,
      ...renewed,
    };
  }
  const { current, previous } = found;
  switch (step) {
    case 'Create':
    case 'Rest':
      return found;
    case 'Adopt':
      return {
        ...found,
        previous: sendable(
          published.filter((token) => token !== current),
          previous,
        ),
      };
    case 'Rotate':
      return {
        current: createPathToken(),
        previous: sendable(published, [current, ...previous]),
        since: now,
        ...renewed,
      };
    case 'Retire':
      return { ...found, previous: previous.filter((token) => published.includes(token)) };
  }
}

// More than one only if somebody changes configuration and Secret at the same time.
const MOST_PREVIOUS = 4;

/** Returns what API servers may send: what is published, and as many of the others as are kept. */
function sendable(published: readonly string[], others: readonly string[]): readonly string[] {
  return [...new Set([...published, ...others])].slice(0, Math.max(MOST_PREVIOUS, published.length));
}

/** What the other replicas say about tokens. */
export interface PathPeers {
  /** Whether they could be asked. */
  readonly known: boolean;
  /** Whether one of them runs a version without tokens. */
  readonly areOlder: boolean;
  /** Whether one of them that serves does not accept this token. */
  readonly lacks: (token: string) => boolean;
}

/**
 * Returns the token to publish: the current one, or UNGUARDED for replicas of a version without tokens, as soon as every
 * replica accepts it; what is published until then, and where nobody knows what replicas accept. Undefined while there
 * is none.
 */
export function choosePath(
  set: PathSet | undefined,
  published: string | undefined,
  peers: PathPeers,
): string | undefined {
  if (set === undefined) return undefined;
  const { current, previous } = set;
  const wanted = peers.areOlder ? UNGUARDED : current;
  // to be written down first
  if (published !== undefined && published !== current && !previous.includes(published)) return published;
  if (peers.known && !peers.lacks(wanted)) return wanted;
  return published ?? previous[0] ?? current;
}

/** Returns the tokens that this replica accepts. */
export function acceptedPaths(
  set: PathSet | undefined,
  published: readonly string[],
  peers: Pick<PathPeers, 'known' | 'areOlder'>,
): readonly string[] {
  // the leader runs a version without tokens, or publishes the path of such replicas
  const isOpen = set === undefined || !peers.known || peers.areOlder;
  const own = set === undefined ? [] : [set.current, ...set.previous];
  return [...new Set([...own, ...published, ...(isOpen ? [UNGUARDED] : [])])];
}
