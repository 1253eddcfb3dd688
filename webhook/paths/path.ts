import { createHash, randomBytes } from 'node:crypto';

import { isPathToken, TOKEN_LENGTH } from '../../core/path-token.ts';

/** The paths at which API servers call the webhook. */

/** Every entry of the operator's configuration has a path of its own. */
export type PathEntry = 'ignore' | 'fail' | 'probe';
export const PATH_ENTRIES: readonly PathEntry[] = ['ignore', 'fail', 'probe'];

/** Instead of a token: the path has none, as in versions before there were tokens. */
export const UNGUARDED = '';

export const PATH_PREFIX = '/mutate/';

export function createPathToken(): string {
  return randomBytes(TOKEN_LENGTH / 2).toString('hex');
}

export function pathOf(entry: PathEntry, token: string): string {
  return token === UNGUARDED ? `${PATH_PREFIX}${entry}` : `${PATH_PREFIX}${token}/${entry}`;
}

/** Returns the token of a path of this entry; undefined if it is none. */
export function tokenIn(path: string, entry: PathEntry): string | undefined {
  if (path === pathOf(entry, UNGUARDED)) return UNGUARDED;
  const token = path.slice(PATH_PREFIX.length, -entry.length - 1);
  return isPathToken(token) && path === pathOf(entry, token) ? token : undefined;
}

/** Returns a name for a token by which nobody can guess it, for other replicas. */
export function tokenName(token: string): string {
  if (token === UNGUARDED) return 'none';
  return createHash('sha256').update(`path of the webhook ${token}`).digest('hex').slice(0, 16);
}
