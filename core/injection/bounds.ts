import { annotation } from './annotations.ts';
import type { EffectiveOptions } from './annotations.ts';
import { matchesAny } from '../policy/match.ts';
import type { Rule } from '../policy/rule.ts';
import type { Denial } from './outcome.ts';
import type { Selected } from './selection.ts';
import { sourceName } from './sources.ts';
import type { SourceRef } from './sources.ts';

/** Checks every path that the selected containers would read, and those of an annotation, against the policy's bounds. */
export function deniedPath(selected: readonly Selected[], rule: Rule, options: EffectiveOptions): Denial | undefined {
  const allowed = rule.environment.allowedPaths;
  if (allowed.length === 0) return undefined;
  const denied: string[] = [];
  const check = (path: string, where: string, source?: SourceRef): void => {
    // The kubelet replaces $(NAME) in a manifest; vault-env judges the result.
    if ((source === undefined && path.includes('$(')) || matchesAny(allowed, path)) return;
    // Not everybody who can read a message may read the Secret.
    denied.push(source?.kind === 'Secret' ? `${where} refers to a path` : `${where} refers to the path ${path}`);
  };
  for (const { path } of options.areOwnPaths ? options.fromPaths : [])
    check(path, `annotation ${annotation['from-paths']}`);
  for (const { name, references } of selected) {
    for (const { name: variable, source, references: found } of references) {
      const origin = source === undefined ? '' : ` of ${sourceName(source)}`;
      for (const reference of found) {
        if ('path' in reference) check(reference.path, `container ${name}, variable ${variable}${origin}:`, source);
      }
    }
  }
  const [first] = denied;
  if (first === undefined) return undefined;
  const more = denied.length > 1 ? ` (and ${denied.length - 1} more)` : '';
  const message = `${first}, which policy ${rule.policy.name} does not allow${more}; allowed: ${shortList(allowed)}`;
  return { reason: 'PathNotAllowed', message };
}

function shortList(items: readonly string[]): string {
  return items.length > 5 ? `${items.slice(0, 5).join(', ')}, …` : items.join(', ');
}
