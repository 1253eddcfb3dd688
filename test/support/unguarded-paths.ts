import { AcceptedPaths } from '../../webhook/paths/accepted.ts';
import { UNGUARDED } from '../../webhook/paths/path.ts';

/** Paths without a token, as before an upgrade: for tests of what does not depend on paths. */
export function unguardedPaths(): AcceptedPaths {
  const paths = new AcceptedPaths({ elapsed: () => 0 }, 0);
  paths.set([UNGUARDED]);
  return paths;
}
