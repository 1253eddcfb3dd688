/** Finds what vault-env has to handle in the environment of a container, without changing anything. */
import { asList, asObject, asString, asStrings } from '../json.ts';
import type { RawObject } from '../json.ts';
import { nameOf } from './pod.ts';
import { parseValue } from './references.ts';
import type { ParsedValue } from './references.ts';
import type { SourceRef } from './sources.ts';

export interface ReferringVariable extends ParsedValue {
  readonly name: string;
  /** The object that holds the value; absent if the manifest does. */
  readonly source?: SourceRef;
}

const NONE: readonly string[] = [];

/** Returns the variables whose literal value refers to Vault, or tries to. */
export function referringVariables(container: RawObject): readonly ReferringVariable[] {
  const found: ReferringVariable[] = [];
  for (const item of asList(container.env) ?? []) {
    const value = asObject(item)?.value;
    if (typeof value !== 'string' || !value.includes('vault:')) continue;
    const variable = literalReference(nameOf(item) ?? '', value);
    if (variable !== undefined) found.push(variable);
  }
  return found;
}

/** Returns the variable if the value in its manifest refers to Vault, or tries to. */
export function literalReference(name: string, value: string): ReferringVariable | undefined {
  if (!value.includes('vault:')) return undefined;
  const parsed = parseValue(name, asProgramSeesIt(value));
  return parsed.refers ? { name, ...parsed } : undefined;
}

/**
 * Places where the kubelet puts the text of a reference into something that vault-env does not read, because `$(NAME)`
 * is expanded before any program starts: command and args always, another variable unless it becomes a reference
 * itself.
 */
export function expandedReferences(
  container: RawObject,
  referring: readonly ReferringVariable[],
): readonly { readonly place: string; readonly variable: string }[] {
  if (referring.length === 0) return [];
  const expansions = expansionsOf(container);
  if (expansions.length === 0) return [];
  const names = new Set(referring.map(({ name }) => name));
  const whole = new Set(referring.filter(({ isInline }) => !isInline).map(({ name }) => name));
  return expansions.filter(({ variable, into }) =>
    into === undefined ? names.has(variable) : whole.has(variable) && into !== `$(${variable})`,
  );
}

interface Expansion {
  readonly place: string;
  readonly variable: string;
  /** The value of the other variable, if the place is one. */
  readonly into?: string;
}

/** Returns everything in a container that the kubelet expands: nearly always nothing. */
function expansionsOf(container: RawObject): readonly Expansion[] {
  const found: Expansion[] = [];
  for (const place of ['command', 'args']) {
    for (const word of asStrings(container[place]) ?? []) {
      for (const variable of expansionsIn(word)) found.push({ place, variable });
    }
  }
  for (const item of asList(container.env) ?? []) {
    const into = asString(asObject(item)?.value) ?? '';
    for (const variable of expansionsIn(into)) found.push({ place: nameOf(item) ?? '', variable, into });
  }
  return found;
}

/**
 * Returns the value after the kubelet has turned `$$` into `$` (k8s.io/kubernetes/third_party/forked/golang/expansion);
 * `$(NAME)` is left as it is. So a manifest writes `$$${vault:` for the literal `${vault:`.
 */
function asProgramSeesIt(value: string): string {
  return value.includes('$$') ? value.replaceAll('$$', () => '$') : value;
}

/** Returns the names of the variables that the kubelet would expand in a text; `$$(NAME)` is an escape. */
function expansionsIn(text: string): readonly string[] {
  if (!text.includes('$(')) return NONE;
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
