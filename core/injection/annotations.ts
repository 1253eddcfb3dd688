/**
 * Our annotations, one row each: every one that is read or written, on workloads and on their pod templates. Adding one
 * takes a row here and the code that acts on it; one that a policy has to allow also needs its name in
 * `overrides.allow` of the CRD.
 */
import { AUTH_METHODS } from '../auth-methods.ts';
import { readList } from '../list.ts';
import { parseValue } from './references.ts';
import { ENUMS } from '../policy/policy.generated.ts';
import { matchesAny } from '../policy/match.ts';
import type { FromPath, Override, Rule } from '../policy/rule.ts';

/** The options of a rule that annotations can change, with their changes applied. */
export interface EffectiveOptions {
  /** '': the name of the pod's ServiceAccount. */
  readonly role: string;
  readonly fromPaths: readonly FromPath[];
  /** Whether fromPaths came from the workload, so that the policy's allowedPaths apply to them. */
  readonly areOwnPaths: boolean;
  readonly include: readonly string[];
  readonly ignoreMissing: boolean;
  readonly mode: Rule['process']['mode'];
  readonly logLevel: Rule['process']['log']['level'];
}

/** Parses a value into the options that it changes; returns a sentence on what to write instead if it cannot. */
type Parse = (value: string, rule: Rule) => Partial<EffectiveOptions> | string;

export interface AnnotationRow {
  /** Where it counts; if a user has written both, the template's value does. */
  readonly on: readonly ('Workload' | 'Template')[];
  readonly setBy: 'User' | 'Admission' | 'Operator';
  /** One sentence: what it says. */
  readonly says: string;
  readonly example: string;
  /** It changes options of the rule if the policy's overrides.allow lists this. */
  readonly override?: { readonly allow: Override; readonly parse: Parse };
}

const BOTH = ['Workload', 'Template'] as const;

const TABLE = {
  inject: {
    on: BOTH,
    setBy: 'User',
    says: '"false" excludes the workload from all policies; "true" includes it if a policy injects only annotated workloads.',
    example: 'true',
  },
  policy: {
    on: BOTH,
    setBy: 'User',
    says: 'The name of the policy to use, among those that match the workload.',
    example: 'shop',
  },
  role: {
    on: BOTH,
    setBy: 'User',
    says: 'The Vault role to log in as.',
    example: 'payments-ro',
    override: { allow: 'Role', parse: parseRole },
  },
  'from-paths': {
    on: BOTH,
    setBy: 'User',
    says: 'Secrets whose keys all become variables, instead of environment.fromPaths: path[#version], separated by commas.',
    example: 'secret/data/shop/app, secret/data/shop/db#3',
    override: { allow: 'FromPaths', parse: parseFromPaths },
  },
  containers: {
    on: BOTH,
    setBy: 'User',
    says: 'Names of the containers that may be wrapped, separated by commas; * matches any number of characters.',
    example: 'app, worker-*',
    override: { allow: 'Containers', parse: parseContainers },
  },
  'ignore-missing': {
    on: BOTH,
    setBy: 'User',
    says: 'Whether programs start although Vault has nothing at a path that they refer to.',
    example: 'true',
    override: { allow: 'IgnoreMissing', parse: parseIgnoreMissing },
  },
  mode: {
    on: BOTH,
    setBy: 'User',
    says: 'Whether vault-env replaces itself with the program (Exec) or stays as its parent (Daemon).',
    example: 'Daemon',
    override: { allow: 'Mode', parse: parseMode },
  },
  'log-level': {
    on: BOTH,
    setBy: 'User',
    says: 'The least severe level that vault-env logs.',
    example: 'Debug',
    override: { allow: 'LogLevel', parse: parseLogLevel },
  },
  apply: {
    on: ['Workload'],
    setBy: 'User',
    says: '"now" asks the operator to bring an outdated workload up to date, which replaces its pods. The operator removes it afterwards.',
    example: 'now',
  },
  injected: {
    on: ['Template'],
    setBy: 'Admission',
    says: 'What injected the template: the policy, its generation and a hash of the rule.',
    example: 'shop/3/8ec4d63f7b15',
  },
  original: {
    on: ['Template'],
    setBy: 'Admission',
    says: 'The record of what was there before (core/injection/README.md).',
    example: '{"v":1,"volumes":["vault-env"],"containers":[]}',
  },
  requested: {
    on: ['Workload'],
    setBy: 'Operator',
    says: 'What the operator last asked admission to do: kind of the request, hash, number of the attempt, time.',
    example: 'Repair/8ec4d63f7b15/1/2026-01-02T03:04:05Z',
  },
  restart: {
    on: BOTH,
    setBy: 'Operator',
    says: 'A hash of the versions of secrets that the pods should start with. Admission copies it into the template, so that new pods start.',
    example: '0123456789ab',
  },
  versions: {
    on: ['Workload'],
    setBy: 'Operator',
    says: 'The versions of secrets that the pods were started with, by path; by `=` and a hash of it if only a ConfigMap names the path.',
    example: '{"secret/data/shop/db":3}',
  },
} as const satisfies Readonly<Record<string, AnnotationRow>>;

export type AnnotationName = keyof typeof TABLE;

/** By the name that follows the prefix. */
export const ANNOTATIONS: Readonly<Record<AnnotationName, AnnotationRow>> = TABLE;

export const ANNOTATION_PREFIX = 'vaultinjection.dev/';

export const ANNOTATION_NAMES = Object.keys(TABLE) as readonly AnnotationName[];

/** The whole key of each annotation, by the name that follows the prefix. */
export const annotation = Object.fromEntries(
  ANNOTATION_NAMES.map((name) => [name, `${ANNOTATION_PREFIX}${name}`]),
) as Readonly<Record<AnnotationName, string>>;

/** Returns the row of the annotation with that name, or undefined if there is none. */
export function annotationRow(name: string): AnnotationRow | undefined {
  return Object.hasOwn(ANNOTATIONS, name) ? ANNOTATIONS[name as AnnotationName] : undefined;
}

/** Whether users set it to say how they want a workload injected, on the workload or on its template. */
export function isWish({ on, setBy }: AnnotationRow): boolean {
  return setBy === 'User' && on.includes('Template');
}

/** Keys of the annotations that injection writes into a template and restoring removes. */
export const INJECTED_ANNOTATIONS: readonly string[] = ANNOTATION_NAMES.filter((name) => {
  const { on, setBy } = ANNOTATIONS[name];
  return setBy !== 'User' && on.includes('Template');
}).map((name) => annotation[name]);

/** The options of a rule before any annotation has changed them. */
export function optionsOfRule({ vault, environment, containers, process }: Rule): EffectiveOptions {
  return {
    role: vault.auth.role,
    fromPaths: environment.fromPaths,
    areOwnPaths: false,
    include: containers.include,
    ignoreMissing: environment.ignoreMissing,
    mode: process.mode,
    logLevel: process.log.level,
  };
}

/** Returns true or false as the text says, or undefined if it says neither. */
export function asBoolean(value: string): boolean | undefined {
  const text = value.trim().toLowerCase();
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

// As many as the policy's own lists may have.
const MAX_ITEMS = 32;

function parseRole(value: string, { overrides, policy, vault }: Rule): Partial<EffectiveOptions> | string {
  const role = value.trim();
  const { method } = vault.auth;
  const { fixedRole } = AUTH_METHODS[method];
  if (fixedRole !== undefined) return `policy ${policy.name} logs in with ${method}: ${fixedRole}`;
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
    // A path is valid if a reference to it is; parsing also removes superfluous slashes.
    const [reference] = path === '' ? [] : parseValue('', `vault:${path}#key`).references;
    if (reference?.kind !== 'Read' || more.length > 0) return 'write path[#version], separated by commas';
    if (version !== undefined && !/^[1-9][0-9]{0,8}$/.test(version)) return 'a version is a whole number of at least 1';
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
  return 'write names of containers (* as wildcard), separated by commas';
}

function parseIgnoreMissing(value: string): Partial<EffectiveOptions> | string {
  const ignoreMissing = asBoolean(value);
  return ignoreMissing === undefined ? 'write "true" or "false"' : { ignoreMissing };
}

function parseMode(value: string): Partial<EffectiveOptions> | string {
  const mode = oneOf(ENUMS.process.mode, value);
  return mode === undefined ? `write one of ${ENUMS.process.mode.join(', ')}` : { mode };
}

function parseLogLevel(value: string): Partial<EffectiveOptions> | string {
  const logLevel = oneOf(ENUMS.process.log.level, value);
  return logLevel === undefined ? `write one of ${ENUMS.process.log.level.join(', ')}` : { logLevel };
}

/** Returns the name that is meant, regardless of case. */
function oneOf<T extends string>(names: readonly T[], value: string): T | undefined {
  return names.find((name) => name.toLowerCase() === value.trim().toLowerCase());
}
