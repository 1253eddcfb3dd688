/**
 * What a workload's annotations ask for, and how much of it the policy allows. Whatever is unknown, misspelt, not allowed
 * or invalid changes nothing, and a warning says why.
 */
import { matchesAny } from '../policy/match.ts';
import type { FromPath, Override, Rule } from '../policy/rule.ts';
import { own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { readList } from '../list.ts';
import { annotation } from './names.ts';
import { annotationsOf } from './pod.ts';
import { parseValue } from './references.ts';

type Warn = (text: string) => void;

export interface Wishes {
  /** "true" or "false" as the annotation says, undefined where there is none. */
  readonly inject: boolean | undefined;
  /** Name of the policy that the workload chooses. */
  readonly policy: string | undefined;
  /** Values by the name that follows the prefix. */
  readonly values: ReadonlyMap<string, string>;
}

/** What of a rule annotations can change, after they did. */
export interface EffectiveOptions {
  /** '': the name of the pod's ServiceAccount. */
  readonly role: string;
  readonly fromPaths: readonly FromPath[];
  /** Whether fromPaths came with the workload, so that the policy's allowedPaths bound them. */
  readonly areOwnPaths: boolean;
  readonly include: readonly string[];
  readonly ignoreMissing: boolean;
  readonly mode: Rule['process']['mode'];
  readonly logLevel: Rule['process']['log']['level'];
}

/** Parses a value into the options that it changes; gives a sentence on what to write where it cannot. */
type Parse = (value: string, rule: Rule) => Partial<EffectiveOptions> | string;

const OVERRIDES: Readonly<Record<string, { readonly override: Override; readonly parse: Parse }>> = {
  role: { override: 'Role', parse: parseRole },
  'from-paths': { override: 'FromPaths', parse: parseFromPaths },
  containers: { override: 'Containers', parse: parseContainers },
  'ignore-missing': { override: 'IgnoreMissing', parse: parseIgnoreMissing },
  mode: { override: 'Mode', parse: parseMode },
  'log-level': { override: 'LogLevel', parse: parseLogLevel },
};
const SWITCHES: readonly string[] = ['inject', 'policy'];
// Written by admission, by the operator or by tools: known, and never a wish.
const WRITTEN: readonly string[] = ['injected', 'original', 'requested', 'restart', 'versions', 'apply'];
// As many as the policy's own lists may have.
const MAX_ITEMS = 32;
// More warnings than that are only counted.
const MAX_SUGGESTIONS = 10;
const READ = [...SWITCHES, ...Object.keys(OVERRIDES)];
const MODES: readonly EffectiveOptions['mode'][] = ['Exec', 'Daemon'];
const LOG_LEVELS: readonly EffectiveOptions['logLevel'][] = ['Debug', 'Info', 'Warn', 'Error'];

/** Reads the annotations of the workload and of its pod template; where both have one, the template's counts. */
export function readWishes(workload: RawObject, template: RawObject, warn: Warn): Wishes {
  const values = new Map<string, string>();
  for (const annotations of [annotationsOf(template), annotationsOf(workload)]) {
    for (const key in annotations) {
      if (!key.startsWith(annotation.prefix)) continue;
      const name = key.slice(annotation.prefix.length);
      const value = own(annotations, key);
      if (typeof value === 'string' && !WRITTEN.includes(name) && !values.has(name)) values.set(name, value);
    }
  }
  const apply = own(annotationsOf(workload) ?? {}, annotation.apply);
  if (apply !== undefined && apply !== 'now') warn(`${annotation.apply}: ignored, write "now"`);
  if (values.size === 0) return { inject: undefined, policy: undefined, values };
  const unknown = [...values.keys()].filter((name) => !READ.includes(name));
  for (const [index, name] of unknown.entries()) warn(unknownAnnotation(name, index < MAX_SUGGESTIONS));
  const policy = values.get('policy')?.trim();
  return { inject: readInject(values.get('inject'), warn), policy: policy === '' ? undefined : policy, values };
}

/** The rule's options with those that annotations may change changed. */
export function optionsOf(rule: Rule, { values }: Wishes, warn: Warn): EffectiveOptions {
  let options: EffectiveOptions = {
    role: rule.vault.auth.role,
    fromPaths: rule.environment.fromPaths,
    areOwnPaths: false,
    include: rule.containers.include,
    ignoreMissing: rule.environment.ignoreMissing,
    mode: rule.process.mode,
    logLevel: rule.process.log.level,
  };
  for (const [name, value] of values) {
    if (!Object.hasOwn(OVERRIDES, name)) continue;
    const known = OVERRIDES[name];
    if (known === undefined) continue;
    if (!rule.overrides.allow.includes(known.override)) {
      warn(
        `${annotation.prefix}${name}: ignored, policy ${rule.policy.name} does not allow it (overrides.allow ${known.override})`,
      );
      continue;
    }
    const parsed = known.parse(value, rule);
    if (typeof parsed === 'string') warn(`${annotation.prefix}${name}: ignored, ${parsed}`);
    else options = { ...options, ...parsed };
  }
  return options;
}

function readInject(value: string | undefined, warn: Warn): boolean | undefined {
  if (value === undefined) return undefined;
  const asked = asBoolean(value);
  if (asked === undefined) warn(`${annotation.prefix}inject: ignored, write "true" or "false"`);
  return asked;
}

function parseRole(value: string, { overrides, policy, vault }: Rule): Partial<EffectiveOptions> | string {
  const role = value.trim();
  if (vault.auth.method === 'AppRole') return `policy ${policy.name} logs in with AppRole: its role-id says the role`;
  if (!/^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?$/.test(role)) return 'write the name of a Vault role';
  if (overrides.roles.length > 0 && !matchesAny(overrides.roles, role)) {
    return `policy ${policy.name} does not allow this role (overrides.roles)`;
  }
  return { role };
}

function parseFromPaths(value: string): Partial<EffectiveOptions> | string {
  const fromPaths: FromPath[] = [];
  const items = readList(value);
  if (items.length > MAX_ITEMS) return `write at most ${MAX_ITEMS} paths`;
  for (const item of items) {
    const [path = '', version, ...more] = item.split('#').map((part) => part.trim());
    // A path is good where a reference to it is; that check also takes superfluous slashes out.
    const [reference] = path === '' ? [] : parseValue('', `vault:${path}#key`).references;
    if (reference?.kind !== 'Read' || more.length > 0) return 'write path[#version], with commas between them';
    if (version !== undefined && !/^[1-9][0-9]{0,8}$/.test(version)) return 'a version is a whole number from 1 on';
    fromPaths.push({
      path: reference.path,
      ...(version === undefined ? {} : { version: Number(version) }),
      prefix: '',
      overwrite: false,
    });
  }
  return { fromPaths, areOwnPaths: true };
}

function parseContainers(value: string): Partial<EffectiveOptions> | string {
  const include = readList(value);
  if (include.length > MAX_ITEMS) return `write at most ${MAX_ITEMS} names`;
  if (include.length > 0 && include.every((name) => /^[-a-z0-9*]{1,63}$/.test(name))) return { include };
  return 'write names of containers (* as wildcard), with commas between them';
}

function parseIgnoreMissing(value: string): Partial<EffectiveOptions> | string {
  const ignoreMissing = asBoolean(value);
  return ignoreMissing === undefined ? 'write "true" or "false"' : { ignoreMissing };
}

function parseMode(value: string): Partial<EffectiveOptions> | string {
  const mode = oneOf(MODES, value);
  return mode === undefined ? `write one of ${MODES.join(', ')}` : { mode };
}

function parseLogLevel(value: string): Partial<EffectiveOptions> | string {
  const logLevel = oneOf(LOG_LEVELS, value);
  return logLevel === undefined ? `write one of ${LOG_LEVELS.join(', ')}` : { logLevel };
}

/** The name that is meant, in whatever case it is written. */
function oneOf<T extends string>(names: readonly T[], value: string): T | undefined {
  return names.find((name) => name.toLowerCase() === value.trim().toLowerCase());
}

function asBoolean(value: string): boolean | undefined {
  const text = value.trim().toLowerCase();
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function unknownAnnotation(name: string, suggest: boolean): string {
  const text = `${annotation.prefix}${name}: ignored, there is no such annotation`;
  if (!suggest) return text;
  const nearest = READ.map((known) => ({ known, distance: editDistance(name.slice(0, 32), known) })).sort(
    (a, b) => a.distance - b.distance,
  )[0];
  // A third of the letters wrong is a slip of the finger; more is another word.
  if (nearest === undefined || nearest.distance > Math.max(2, Math.floor(nearest.known.length / 3))) return text;
  return `${text}; did you mean ${nearest.known}?`;
}

/** Levenshtein's distance: insertions, deletions and replacements that make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const previous = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
  }
  return row[b.length] ?? 0;
}
