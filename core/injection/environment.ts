/** Finds what vault-env has to handle in the environment of a container, without changing anything. */
import { asList, asObject, asString, asStrings } from '../json.ts';
import type { RawObject } from '../json.ts';
import { matchesAny } from '../policy/match.ts';
import { nameOf } from './pod.ts';
import { parseValue } from './references.ts';
import type { ParsedValue } from './references.ts';
import { shortened } from '../shown.ts';
import { sourceName } from './sources.ts';
import type { SourceRef } from './sources.ts';

export interface ReferringVariable extends ParsedValue {
  readonly name: string;
  /** The object that holds the value; absent if the manifest does. */
  readonly source?: SourceRef;
  /** The object has the name too, as a key (envFrom): it is not in the manifest. */
  readonly isKey?: true;
}

/**
 * Returns what to call a variable in a message, for any reader: neither a reader of the policy nor the author of the
 * workload need be able to read the object that holds it, so no key and nothing of its text is told.
 */
export function variableText({ name, source, isKey }: Pick<ReferringVariable, 'name' | 'source' | 'isKey'>): string {
  if (source === undefined) return shortened(name);
  return isKey ? `a variable from ${sourceName(source)}` : `${shortened(name)} of ${sourceName(source)}`;
}

/** The same with what is wrong with its value, and where unless another object holds it. */
export function faultText(
  variable: ReferringVariable,
  { message, column }: { message: string; column: number },
): string {
  const where = variableText(variable);
  return variable.source === undefined ? `${where}, column ${column}: ${message}` : `${where}: ${message}`;
}

const NONE: readonly string[] = [];
// Of one text. They only cause warnings, of which the first ten are shown.
const MOST_EXPANSIONS = 1_000;

/**
 * Returns the variables whose literal value refers to Vault, or tries to.
 * @param most how many are wanted: the rest is not looked for
 * @param literals patterns of names of variables that are text whatever they hold (environment.literals)
 */
export function referringVariables(
  container: RawObject,
  most = Infinity,
  literals: readonly string[] = NONE,
): readonly ReferringVariable[] {
  const found: ReferringVariable[] = [];
  for (const item of asList(container.env) ?? []) {
    if (found.length >= most) break;
    const value = asObject(item)?.value;
    if (typeof value !== 'string' || !value.includes('vault:')) continue;
    const variable = literalReference(nameOf(item) ?? '', value, literals);
    if (variable !== undefined) found.push(variable);
  }
  return found;
}

/** Returns the variable if the value in its manifest refers to Vault, or tries to. */
export function literalReference(
  name: string,
  value: string,
  literals: readonly string[] = NONE,
): ReferringVariable | undefined {
  if (!value.includes('vault:')) return undefined;
  const parsed = parseValue(name, asProgramSeesIt(value));
  return parsed.refers && !matchesAny(literals, name) ? { name, ...parsed } : undefined;
}

/**
 * Places where the kubelet puts the text of a reference into something that vault-env does not read, because `$(NAME)`
 * is expanded before any program starts: command and args always, another variable unless it becomes a reference
 * itself.
 */
export function expandedReferences(
  container: RawObject,
  referring: readonly ReferringVariable[],
  expansions = referring.length === 0 ? [] : expansionsOf(container),
): readonly { readonly place: string; readonly variable: string }[] {
  if (referring.length === 0 || expansions.length === 0) return [];
  const names = new Set(referring.map(({ name }) => name));
  const whole = new Set(referring.filter(({ isInline }) => !isInline).map(({ name }) => name));
  return expansions.filter(({ variable, into }) =>
    into === undefined ? names.has(variable) : whole.has(variable) && into !== `$(${variable})`,
  );
}

export interface Expansion {
  readonly place: string;
  readonly variable: string;
  /** The value of the other variable, if the place is one. */
  readonly into?: string;
}

/** Returns everything in a container that the kubelet expands: nearly always nothing. */
export function expansionsOf(container: RawObject): readonly Expansion[] {
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

/**
 * Returns a value of a manifest as the kubelet expands it: `$(NAME)` is what `valueOf` returns, and `$$` is `$`. What was
 * put in is not expanded again.
 */
export function expanded(value: string, valueOf: (name: string) => string): string {
  const lastClose = value.lastIndexOf(')');
  let text = '';
  let taken = 0;
  for (let at = value.indexOf('$'); at >= 0 && at + 1 < value.length; at = value.indexOf('$', taken)) {
    const next = value[at + 1];
    const close = next === '(' && at < lastClose ? value.indexOf(')', at) : -1;
    const end = close >= 0 ? close + 1 : at + 2;
    const through = next === '$' ? '$' : close >= 0 ? valueOf(value.slice(at + 2, close)) : value.slice(at, end);
    text += value.slice(taken, at) + through;
    taken = end;
  }
  return text + value.slice(taken);
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
    if (names.push(text.slice(at + 2, close)) === MOST_EXPANSIONS) break;
    at = close + 1;
  }
  return names;
}
