/** Which secrets the injected containers read, as far as a new version of one would change what their programs see. */
import type { EffectiveOptions } from './annotations.ts';
import type { Selected } from './selection.ts';

/**
 * Paths as they are read, each once. Left out are those of a pinned version, and those that the kubelet will make out of
 * `$(NAME)`, which nobody knows here. So are those that a Secret holds: the paths end up in an annotation.
 */
export function readsOf(selected: readonly Selected[], { fromPaths }: EffectiveOptions): readonly string[] {
  const paths = new Set(fromPaths.filter(({ version }) => version === undefined).map(({ path }) => path));
  for (const { references } of selected) {
    const open = references.filter(({ source }) => source?.kind !== 'Secret');
    for (const reference of open.flatMap((variable) => variable.references)) {
      if (reference.kind === 'Read' && reference.version === undefined && !reference.path.includes('$('))
        paths.add(reference.path);
    }
  }
  return [...paths].sort();
}
