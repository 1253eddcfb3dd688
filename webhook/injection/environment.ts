/** What the environment of a container holds for vault-env, found without changing anything. */
import { asList, asObject, asString, asStrings, own } from './json.ts';
import type { RawObject } from './json.ts';
import { nameOf } from './pod.ts';
import { parseValue } from './references.ts';
import type { ParsedValue } from './references.ts';

export interface ReferringVariable extends ParsedValue {
  readonly name: string;
}

/** The variables with a literal value that refers to Vault, or tries to. */
export function referringVariables(container: RawObject): readonly ReferringVariable[] {
  const found: ReferringVariable[] = [];
  for (const item of asList(container.env) ?? []) {
    const value = own(asObject(item), 'value');
    if (typeof value !== 'string' || !value.includes('vault:')) continue;
    const name = nameOf(item) ?? '';
    const parsed = parseValue(name, asProgramSeesIt(value));
    if (parsed.refers) found.push({ name, ...parsed });
  }
  return found;
}

/**
 * Places where the kubelet puts the text of a reference into something that vault-env does not read, because `$(NAME)` is
 * expanded before any program starts: command and args always, another variable unless it comes to a reference itself.
 */
export function expandedReferences(
  container: RawObject,
  referring: readonly ReferringVariable[],
): readonly { readonly place: string; readonly variable: string }[] {
  if (referring.length === 0) return [];
  const found: { place: string; variable: string }[] = [];
  const names = new Set(referring.map(({ name }) => name));
  for (const place of ['command', 'args']) {
    for (const word of asStrings(container[place]) ?? []) {
      for (const variable of expansionsIn(word)) if (names.has(variable)) found.push({ place, variable });
    }
  }
  const whole = new Set(referring.filter(({ isInline }) => !isInline).map(({ name }) => name));
  for (const item of asList(container.env) ?? []) {
    const value = asString(own(asObject(item), 'value')) ?? '';
    for (const variable of expansionsIn(value)) {
      if (whole.has(variable) && value !== `$(${variable})`) found.push({ place: nameOf(item) ?? '', variable });
    }
  }
  return found;
}

/**
 * The value after the kubelet's `$$` to `$` (k8s.io/kubernetes/third_party/forked/golang/expansion); `$(NAME)` is left as
 * it stands. So the literal `${vault:` is written `$$${vault:` in a manifest.
 */
function asProgramSeesIt(value: string): string {
  return value.includes('$$') ? value.replaceAll('$$', () => '$') : value;
}

/** Names of the variables that the kubelet would expand in a text; `$$(NAME)` is an escape. */
function expansionsIn(text: string): readonly string[] {
  if (!text.includes('$(')) return [];
  const names: string[] = [];
  for (let at = text.indexOf('$'); at >= 0 && at + 1 < text.length; at = text.indexOf('$', at)) {
    if (text[at + 1] !== '(') {
      at += 2;
      continue;
    }
    const close = text.indexOf(')', at);
    if (close < 0) break;
    names.push(text.slice(at + 2, close));
    at = close + 1;
  }
  return names;
}
