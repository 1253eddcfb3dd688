/**
 * Texts that refer to Vault, or look as if they should, and that nothing will resolve: what a program starts with then is
 * the text itself, and nobody tells its owner later. Every warning names the container, the place and the reason, and
 * never a value. Pure.
 */
import { asList, asObject, asString, asStrings } from '../json.ts';
import type { RawObject } from '../json.ts';
import { referringVariables } from './environment.ts';
import { CONFIG_VARIABLE } from './names.ts';
import { matchesAny } from '../policy/match.ts';
import { EXEC_FIELDS, nameOf } from './pod.ts';
import { parseValue } from './references.ts';

type Warn = (text: string) => void;

// What begins or contains such is a reference, malformed or not: no lookalike.
const REFERENCE = 'vault:';
const INLINE = '${vault:';
const KEY_MARK = '#';

// A variable takes microseconds, and one that is malformed tens of them.
const MOST_COUNTED = 100;
// Longer texts are files, which nobody writes a reference into by mistake.
const LONGEST_TEXT = 16_384;
const MISSPELT_START = /^[\s"'`$({[]*(?:ref\+)?(?:>>)?vault:/i;

/**
 * Warns about a container in which the environment refers to Vault, unless it is wrapped.
 * @param container as it is going to be stored
 * @param why the reason, as the end of a sentence
 * @param literals patterns of names of variables that are meant to be text (environment.literals)
 */
export function warnOfUnresolved(
  container: RawObject,
  why: string,
  warn: Warn,
  literals: readonly string[] = [],
): void {
  if (isWrapped(container)) return;
  // one that only escapes is text, and means to be
  const referring = referringVariables(container, MOST_COUNTED, literals).filter(
    ({ references, fault }) => fault ?? references.length > 0,
  );
  const [first, ...others] = referring.map(({ name }) => name);
  if (first === undefined) return;
  const count = others.length < MOST_COUNTED - 1 ? String(others.length) : `at least ${others.length}`;
  const more = others.length > 0 ? ` (and ${count} more)` : '';
  warn(`container ${nameOf(container) ?? ''}: ${first}${more} stays text: ${why}`);
}

/**
 * Warns about texts of a container that nothing resolves under any policy: they have to be written otherwise.
 * @param literals patterns of names of variables that are meant to be text (environment.literals)
 */
export function warnOfLookalikes(container: RawObject, warn: Warn, literals: readonly string[] = []): void {
  const name = nameOf(container) ?? '';
  for (const item of asList(container.env) ?? []) {
    const value = asString(asObject(item)?.value);
    if (value?.includes(KEY_MARK) !== true) continue;
    const form = meantForm(nameOf(item) ?? '', value);
    if (form !== undefined && !matchesAny(literals, nameOf(item) ?? ''))
      warn(`container ${name}: ${nameOf(item) ?? ''} is text, not a reference; write ${form}`);
  }
  for (const place of ['command', 'args']) {
    if (asStrings(container[place])?.some(looksLikeReference) !== true) continue;
    warn(`container ${name}: references in ${place} are not resolved; move them into env, and have a shell read $NAME`);
  }
}

/** Warns about exec probes and hooks of a container that is wrapped while they are not: they see what the manifest says. */
export function warnOfProbes(name: string, container: RawObject, warn: Warn): void {
  const places = EXEC_FIELDS.filter(({ path }) => asList(valueAt(container, path)) !== undefined);
  if (places.length === 0) return;
  const listed = places.map((place) => place.name).join(', ');
  warn(`container ${name}: set inject.probes true, or ${listed} see the references' text`);
}

/** Warns about variables from a file of the pod, which exists only when the pod runs. */
export function warnOfFiles(name: string, container: RawObject, warn: Warn): void {
  const isFile = (item: unknown): boolean => asObject(asObject(asObject(item)?.valueFrom)?.fileKeyRef) !== undefined;
  const variable = nameOf((asList(container.env) ?? []).find(isFile));
  if (variable === undefined) return;
  warn(
    `container ${name}: ${variable} comes from a file, which is not read; if it refers to Vault set inject.when Always`,
  );
}

function isWrapped(container: RawObject): boolean {
  return asList(container.env)?.some((variable) => nameOf(variable) === CONFIG_VARIABLE) === true;
}

/** Returns how to write what a value seems to mean; undefined if it is a reference, or does not look like one. */
function meantForm(name: string, value: string): string | undefined {
  if (value.startsWith(REFERENCE) || value.includes(INLINE)) return undefined;
  if (!looksLikeReference(value) || parseValue(name, value).refers) return undefined;
  return MISSPELT_START.test(value) ? 'vault:PATH#KEY' : '${vault:PATH#KEY} inside of text';
}

/**
 * Whether a text holds `vault:`, in letters of whatever case, and then a path with a slash and a key. An address of Vault
 * is none, with what follows it: `https://vault:8200/ui#/secrets`.
 */
function looksLikeReference(text: string): boolean {
  if (!text.includes(KEY_MARK) || text.length > LONGEST_TEXT || !/vault:/i.test(text) || text.includes('$${'))
    return false;
  return text.split(/[\s"'`]/).some((word) => {
    const after = word.slice(word.toLowerCase().indexOf('vault:') + 'vault:'.length);
    const path = after.slice(0, Math.max(0, after.indexOf(KEY_MARK)));
    return word.length > after.length && path.includes('/') && !/^\d{1,5}\//.test(path);
  });
}

function valueAt(object: RawObject, path: readonly string[]): unknown {
  let value: unknown = object;
  for (const key of path) value = asObject(value)?.[key];
  return value;
}
