/**
 * Which variables of a container may hold references, for vault-env: a person who may edit an object that the environment
 * comes from, and no workload, must not have the pod read or write elsewhere (docs/adr/0021). Variables that the manifest
 * sets are permitted by name, because nothing overrides them. What another object takes part in is permitted for the
 * paths that admission has seen. The twin of vault-env/internal/resolve/permitted.go, held to it by the table
 * vault-env/testdata/permitted.json. Pure.
 */
import { shortHash } from '../hash.ts';
import { asList, asObject, asString, asStrings, parseJson } from '../json.ts';
import type { RawObject } from '../json.ts';
import { expanded } from './environment.ts';
import { nameOf } from './pod.ts';
import { parseValue } from './references.ts';
import type { Reference } from './references.ts';
import { isAnnotation, isFile } from './sourced-environment.ts';
import type { SourcedEnvironment } from './sourced-environment.ts';

/** As VAULT_ENV_CONFIG holds it, sorted; what is empty is left out. */
export interface Permitted {
  /** Variables that may refer to anything. */
  readonly names?: readonly string[];
  /** Begins of the names of such variables. */
  readonly prefixes?: readonly string[];
  /**
   * What variables may refer to, by their names, or `=` and a hash of a name that is a key of another object: `=` and a
   * hash of the path, or a pattern in which * matches any text. A path that is written has >> before it; #transit and
   * #login are references without a path.
   */
  readonly paths?: Readonly<Record<string, readonly string[]>>;
}

/** The text of a variable, and what of it is not from the manifest. */
interface Text {
  readonly text: string;
  /** Nothing, text that admission has read in another object, or text that it does not know. */
  readonly foreign: 'None' | 'Held' | 'Unknown' | 'Both';
}

// For text that nobody but the API server or the pod's own programs can write: it completes no reference.
const INERT: Text = { text: 'x', foreign: 'None' };
// Nowhere in a manifest: it stands for text that may be anything.
const PLACEHOLDER = '\uffff';
const UNKNOWN: Text = { text: PLACEHOLDER, foreign: 'Unknown' };
const NOTHING: Text = { text: '', foreign: 'None' };
// What expansion may put into the values of all containers of a workload: Linux starts no program with a larger
// environment (a quarter of its stack, 8 MiB), and some lines of a manifest can make any number of gigabytes.
const LARGEST_EXPANSION = 2 * 1024 * 1024;

/** How many characters expansion may still put into values. The number is changed. */
export interface Room {
  left: number;
}

/** Returns the room for a workload. */
export function roomForExpansion(): Room {
  return { left: LARGEST_EXPANSION };
}

/**
 * Returns undefined if the manifest alone says what the container's variables are and admission has parsed all of them:
 * then there is nothing to tell.
 *
 * @param environment undefined if nothing comes from a ConfigMap or a Secret
 * @param live VAULT_ENV_CONFIG of the template under review: what it permits stays while an object cannot be read
 * @param room of the workload: values for which there is none hold no references
 */
export function permittedIn(
  container: RawObject,
  environment: SourcedEnvironment | undefined,
  live: RawObject | undefined,
  room: Room,
): Permitted | undefined {
  const variables = asList(container.env) ?? [];
  const texts = new Map<string, Text>();
  const files = new Set<string>();
  let isTold = environment !== undefined;
  for (const [name, text] of environment?.held ?? []) texts.set(name, { text: cleaned(text), foreign: 'Held' });
  for (const item of variables) {
    const variable = asObject(item);
    const name = nameOf(variable) ?? '';
    const from = asObject(variable?.valueFrom);
    if (from === undefined) {
      const value = asString(variable?.value) ?? '';
      const text = textOf(value, texts, environment, room);
      texts.set(name, text);
      // Admission has not parsed what expansion completes.
      isTold ||= value.includes('$(') && (text === NOTHING || text.text.includes('vault:'));
      continue;
    }
    if (environment?.held.has(name) !== true) texts.set(name, isForeign(from) ? UNKNOWN : INERT);
    if (isFile(from)) files.add(name);
    isTold ||= isFile(from) || isAnnotation(from);
  }
  if (!isTold) return undefined;
  const all = new Map<string, readonly string[] | undefined>([...files].map((name) => [name, undefined]));
  for (const [name, text] of texts) {
    if (!text.text.includes('vault:')) continue;
    const permitted = permittedFor(name, text);
    if (permitted !== 'None') all.set(name, permitted);
  }
  const prefixes = new Set<string>();
  if (environment?.isAssumed === true) addAssumed(environment, variables, all, prefixes);
  const told = withoutKeys(all, variables);
  if (environment !== undefined && !isWholeKnown(environment)) keepLive(live, told, prefixes);
  return listOf(told, prefixes);
}

/** Names of keys of an object become hashes: who may read the workload need not be able to read the object. */
function withoutKeys(
  all: ReadonlyMap<string, readonly string[] | undefined>,
  variables: readonly unknown[],
): Map<string, readonly string[] | undefined> {
  const own = new Set(variables.map((item) => nameOf(item) ?? ''));
  return new Map([...all].map(([name, paths]) => [own.has(name) ? name : `=${shortHash(name)}`, paths]));
}

function isForeign(from: RawObject): boolean {
  return from.configMapKeyRef !== undefined || from.secretKeyRef !== undefined || isAnnotation(from);
}

/** Returns what the kubelet makes of a value in the manifest. */
function textOf(
  value: string,
  texts: ReadonlyMap<string, Text>,
  environment: SourcedEnvironment | undefined,
  room: Room,
): Text {
  if (!value.includes('$')) return { text: cleaned(value), foreign: 'None' };
  const parts = new Set<Text['foreign']>();
  const text = expanded(cleaned(value), (name) => {
    // A name that nobody here defines is one of envFrom, or of a Service.
    const part = texts.get(name) ?? (environment?.hasAll === true ? UNKNOWN : INERT);
    parts.add(part.foreign);
    room.left -= part.text.length;
    return room.left < 0 ? '' : part.text;
  });
  if (room.left < 0) return NOTHING;
  if (parts.has('Both') || (parts.has('Held') && parts.has('Unknown'))) return { text, foreign: 'Both' };
  return { text, foreign: parts.has('Held') ? 'Held' : parts.has('Unknown') ? 'Unknown' : 'None' };
}

/** Returns what a variable may refer to; undefined for anything, None if it holds no references. */
function permittedFor(name: string, { text, foreign }: Text): readonly string[] | undefined | 'None' {
  const { refers, references } = parseValue(name, text);
  if (!refers) return 'None';
  if (foreign === 'None') return undefined;
  const paths = new Set<string>();
  for (const reference of references) {
    const path = formOf(reference);
    if (!path.includes(PLACEHOLDER)) paths.add(path.startsWith('#') ? path : `=${shortHash(path)}`);
    // Text of another object beside a placeholder would be part of a pattern.
    else if (foreign === 'Unknown') paths.add(path.replaceAll(PLACEHOLDER, '*'));
    else return 'None';
  }
  return [...paths].sort();
}

/** What of a reference is permitted or not: keys, versions and bodies do not matter. */
function formOf(reference: Reference): string {
  if (reference.kind === 'Transit') return '#transit';
  if (reference.kind === 'Login') return '#login';
  return reference.kind === 'Write' ? `>>${reference.path}` : reference.path;
}

function isWholeKnown({ unasked, unreadable, absent }: SourcedEnvironment): boolean {
  return unasked.length + unreadable.length + absent.length === 0;
}

/** Returns what a VAULT_ENV_CONFIG permits that injection has written; undefined if it does not say. */
export function permittedBy(variable: RawObject | undefined): Permitted | undefined {
  const config = parseJson((asString(variable?.value) ?? '').replaceAll('$$', () => '$'));
  return asObject(asObject(config)?.references);
}

function addAssumed(
  { assumed }: SourcedEnvironment,
  variables: readonly unknown[],
  all: Map<string, readonly string[] | undefined>,
  prefixes: Set<string>,
): void {
  const own = new Set(variables.map((item) => nameOf(item) ?? ''));
  for (const prefix of assumed.prefixes) {
    prefixes.add(prefix);
    // An assumed object may set these as well.
    for (const name of all.keys()) if (name.startsWith(prefix) && !own.has(name)) all.delete(name);
  }
  for (const name of assumed.names) all.set(name, undefined);
}

/** An object that cannot be read now takes nothing away: a change would roll the pods, and roll them back later. */
function keepLive(
  live: RawObject | undefined,
  all: Map<string, readonly string[] | undefined>,
  prefixes: Set<string>,
): void {
  const references = permittedBy(live) as RawObject | undefined;
  const { names, paths } = { names: asStrings(references?.names) ?? [], paths: asObject(references?.paths) ?? {} };
  for (const name of names) if (!all.has(name)) all.set(name, undefined);
  for (const [name, patterns] of Object.entries(paths)) if (!all.has(name)) all.set(name, asStrings(patterns) ?? []);
  for (const prefix of asStrings(references?.prefixes) ?? []) prefixes.add(prefix);
}

function listOf(all: ReadonlyMap<string, readonly string[] | undefined>, prefixes: ReadonlySet<string>): Permitted {
  const names: string[] = [];
  const paths: [string, readonly string[]][] = [];
  for (const [name, permitted] of [...all].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (permitted === undefined) names.push(name);
    else paths.push([name, permitted]);
  }
  return {
    ...(names.length > 0 && { names }),
    ...(prefixes.size > 0 && { prefixes: [...prefixes].sort() }),
    ...(paths.length > 0 && { paths: Object.fromEntries(paths) }),
  };
}

function cleaned(text: string): string {
  return text.includes(PLACEHOLDER) ? text.replaceAll(PLACEHOLDER, '\ufffd') : text;
}
