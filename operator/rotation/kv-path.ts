/**
 * Returns the metadata path of a KV version 2 secret for the path at which its value is read: MOUNT/data/PATH becomes
 * MOUNT/metadata/PATH. A mount may have several segments and be called `data`, so it is the first such segment with
 * something before and after it. Undefined: it has no versions (KV version 1, dynamic secrets, certificates).
 */
export function metadataPathOf(readPath: string): string | undefined {
  const segments = readPath.split('/').filter((segment) => segment !== '');
  // They would make it another URL.
  if (segments.some((segment) => segment === '.' || segment === '..')) return undefined;
  const at = segments.findIndex((segment, index) => segment === 'data' && index > 0 && index < segments.length - 1);
  return at < 0 ? undefined : [...segments.slice(0, at), 'metadata', ...segments.slice(at + 1)].join('/');
}
