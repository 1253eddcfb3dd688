/** Which secrets the injected containers read, if a new version of one would change what their programs see. */
import type { EffectiveOptions } from './annotations.ts';
import type { Selected } from './selection.ts';

/**
 * Returns the paths that are read, each once. It leaves out those with a pinned version, those with a `$(NAME)` that
 * the kubelet will expand, and those from a Secret, because the paths end up in an annotation.
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
