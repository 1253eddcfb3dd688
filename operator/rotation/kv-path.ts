/** A KV version 2 secret: the path at which its value is read, without what does not count in it, and its metadata path. */
export interface KvPath {
  readonly data: string;
  readonly metadata: string;
}

/**
 * Returns the paths of a KV version 2 secret for the path at which its value is read: MOUNT/data/PATH has its metadata at
 * MOUNT/metadata/PATH. A mount may have several segments and be called `data`, so it is the first such segment with
 * something before and after it. Undefined: it has no versions (KV version 1, dynamic secrets, certificates).
 */
export function kvPathOf(readPath: string): KvPath | undefined {
  const segments = readPath.split('/').filter((segment) => segment !== '');
  // They would make it another URL.
  if (segments.some((segment) => segment === '.' || segment === '..')) return undefined;
  const at = segments.findIndex((segment, index) => segment === 'data' && index > 0 && index < segments.length - 1);
  if (at < 0) return undefined;
  const metadata = [...segments.slice(0, at), 'metadata', ...segments.slice(at + 1)];
  return { data: segments.join('/'), metadata: metadata.join('/') };
}
