import { annotation } from './annotations.ts';
import type { EffectiveOptions } from './annotations.ts';
import { matcherOf } from '../policy/match.ts';
import type { Rule } from '../policy/rule.ts';
import { shortened } from '../shown.ts';
import { variableText } from './environment.ts';
import type { Denial } from './outcome.ts';
import type { Reference } from './references.ts';
import type { Selected } from './selection.ts';
import type { SourceRef } from './sources.ts';

/**
 * Checks every path that the selected containers would read or write, and those of an annotation, against the policy's
 * bounds: any path may be read unless the policy lists some, and none may be written unless it does.
 */
export function deniedPath(selected: readonly Selected[], rule: Rule, options: EffectiveOptions): Denial | undefined {
  const { allowedPaths, writes } = rule.environment;
  const [mayRead, mayWrite] = [matcherOf(allowedPaths), matcherOf(writes)];
  const denied: { readonly what: string; readonly isWrite: boolean }[] = [];
  const check = (kind: Reference['kind'], path: string, where: string, source?: SourceRef): void => {
    const isWrite = kind === 'Write';
    const allowed = isWrite ? writes : allowedPaths;
    if (allowed.length === 0 ? !isWrite : (isWrite ? mayWrite : mayRead)(path)) return;
    // The kubelet replaces $(NAME) in a manifest; vault-env judges the result.
    if (allowed.length > 0 && source === undefined && path.includes('$(')) return;
    const verb = isWrite ? 'writes' : 'refers';
    // Not everybody who can read a message may read the ConfigMap or Secret.
    const object = source === undefined ? `the path ${shortened(path)}` : 'a path';
    denied.push({ isWrite, what: `${where} ${verb} to ${object}` });
  };
  for (const { path } of options.areOwnPaths ? options.fromPaths : [])
    check('Read', path, `annotation ${annotation['from-paths']}`);
  for (const { name, references } of selected) {
    for (const variable of references) {
      for (const reference of variable.references) {
        if (!('path' in reference) || (reference.kind === 'Read' && allowedPaths.length === 0)) continue;
        const what = variable.isKey ? variableText(variable) : `variable ${variableText(variable)}`;
        check(reference.kind, reference.path, `container ${name}, ${what}:`, variable.source);
      }
    }
  }
  const [first] = denied;
  if (first === undefined) return undefined;
  const more = denied.length > 1 ? ` (and ${denied.length - 1} more)` : '';
  const allowed = first.isWrite
    ? `environment.writes lists what may be written: ${shortList(writes)}`
    : `allowed: ${shortList(allowedPaths)}`;
  const message = `${first.what}, which policy ${rule.policy.name} does not allow${more}; ${allowed}`;
  return { reason: 'PathNotAllowed', message };
}

function shortList(items: readonly string[]): string {
  if (items.length === 0) return 'nothing';
  return items.length > 5 ? `${items.slice(0, 5).join(', ')}, …` : items.join(', ');
}
