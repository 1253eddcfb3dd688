import type { Use } from '../../core/workload/restarts.ts';

/**
 * Returns whether a path, or a metadata path, is one that only ConfigMaps name: readers of the policy need not be able to
 * read those. What the manifest of any workload of the policy names is not hidden.
 *
 * @param metadataPaths by the path in references; undefined if there is none
 */
export function isHiddenIn(
  uses: readonly Use[],
  metadataPaths: ReadonlyMap<string, string | undefined>,
): (path: string) => boolean {
  const written = new Set<string>();
  for (const { reads, hiddenReads = [] } of uses) {
    const hidden = new Set(hiddenReads);
    for (const path of reads) {
      if (hidden.has(path)) continue;
      written.add(path);
      written.add(metadataPaths.get(path) ?? path);
    }
  }
  return (path) => !written.has(path);
}
