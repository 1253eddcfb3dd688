/** Which secrets the injected containers read, if a new version of one would change what their programs see. */
import { shortHash } from '../hash.ts';
import { asList, asObject, asString, asStrings, own, parseJson } from '../json.ts';
import type { RawObject } from '../json.ts';
import { matchesAny } from '../policy/match.ts';
import type { Rule } from '../policy/rule.ts';
import type { EffectiveOptions } from './annotations.ts';
import type { Details } from './outcome.ts';
import type { ReferringVariable } from './environment.ts';
import { CONFIG_VARIABLE } from './names.ts';
import { containersOf, nameOf, podSpecOf } from './pod.ts';
import type { Reference } from './references.ts';
import type { Selected } from './selection.ts';

/**
 * Returns the paths that pods of the template read as it is stored, and would read as the rule wants it, each once: who
 * runs them has learned already whether the path exists. So it leaves out those of containers that are not wrapped yet,
 * those that only the newest policy names, those that an object got after the review, and all if pods still ask another
 * Vault. It also leaves out those with a pinned version, those with a `$(NAME)` that the kubelet will expand, and those
 * from a Secret, because the paths end up in an annotation.
 *
 * @param template as it is stored
 * @param wrapped names of the containers that injection wraps
 */
function readsOf(
  template: RawObject,
  selected: readonly Selected[],
  wrapped: readonly string[],
  { vault }: Pick<Rule, 'vault'>,
  { fromPaths }: EffectiveOptions,
): readonly string[] {
  const stored = new Map(containersOf(podSpecOf(template) ?? {}).map((container) => [nameOf(container), container]));
  const wanted = fromPaths.filter(({ version }) => version === undefined).map(({ path }) => path);
  const paths = new Set<string>();
  for (const { name, references } of selected) {
    const config = wrapped.includes(name) ? configOf(stored.get(name)) : undefined;
    if (config === undefined || !isOfVault(config, vault)) continue;
    const given = fromPathsIn(config);
    for (const path of wanted) if (given.has(path)) paths.add(path);
    for (const variable of references) {
      if (variable.source?.kind === 'Secret') continue;
      for (const reference of variable.references) {
        if (isWatched(reference) && isPermitted(config, variable.name, reference.path)) paths.add(reference.path);
      }
    }
  }
  return [...paths].sort();
}

/** Returns what readsOf() does, and which of these paths only ConfigMaps name. */
export function allReadsOf(
  ...[template, selected, wrapped, rule, options]: Parameters<typeof readsOf>
): Pick<Details, 'reads'> & Partial<Pick<Details, 'hiddenReads'>> {
  const reads = readsOf(template, selected, wrapped, rule, options);
  if (reads.length === 0) return { reads };
  const hidden = new Set(hiddenReadsOf(selected, options));
  return { reads, hiddenReads: reads.filter((path) => hidden.has(path)) };
}

/**
 * Returns those of the paths that pods read which only ConfigMaps name. Who reads the status of a policy, an Event or the
 * annotations of a workload need not be able to read ConfigMaps.
 */
function hiddenReadsOf(selected: readonly Selected[], { fromPaths }: EffectiveOptions): readonly string[] {
  const held = pathsIn(selected, ({ source }) => source?.kind === 'ConfigMap');
  if (held.size === 0) return [];
  const written = pathsIn(selected, ({ source }) => source === undefined);
  for (const { path } of fromPaths) written.add(path);
  return [...held].filter((path) => !written.has(path)).sort();
}

function pathsIn(selected: readonly Selected[], counts: (variable: ReferringVariable) => boolean): Set<string> {
  const variables = selected.flatMap(({ references }) => references.filter(counts));
  const paths = variables.flatMap((variable) => variable.references).filter(isWatched);
  return new Set(paths.map(({ path }) => path));
}

/** Whether a new version of what a reference names would change what the program sees. */
function isWatched(reference: Reference): reference is Extract<Reference, { readonly kind: 'Read' }> {
  return reference.kind === 'Read' && reference.version === undefined && !reference.path.includes('$(');
}

/** Returns the VAULT_ENV_CONFIG that a container has; undefined if it has none. */
function configOf(container: RawObject | undefined): RawObject | undefined {
  const variables = (asList(container?.env) ?? []).map(asObject);
  const text = asString(variables.find((variable) => nameOf(variable) === CONFIG_VARIABLE)?.value);
  return text === undefined ? undefined : asObject(parseJson(text.replaceAll('$$', () => '$')));
}

function isOfVault(config: RawObject, { address, namespace }: Rule['vault']): boolean {
  const vault = asObject(config.vault);
  return vault?.address === address && (vault.namespace ?? '') === namespace;
}

function fromPathsIn(config: RawObject): ReadonlySet<string> {
  const items = (asList(asObject(config.environment)?.fromPaths) ?? []).map(asObject);
  return new Set(items.flatMap((item) => (item?.version === undefined ? [asString(item?.path) ?? ''] : [])));
}

/** Whether vault-env resolves such a reference of a variable: see permitted.ts. */
function isPermitted(config: RawObject, name: string, path: string): boolean {
  const permitted = asObject(config.references);
  if (permitted === undefined) return true;
  // one that is a key of an object is named by a hash
  const hashed = `=${shortHash(name)}`;
  if (asStrings(permitted.names)?.includes(name) === true) return true;
  const paths = asObject(permitted.paths);
  const patterns = asStrings(own(paths, name) ?? own(paths, hashed));
  if (patterns === undefined) return asStrings(permitted.prefixes)?.some((prefix) => name.startsWith(prefix)) === true;
  return patterns.includes(`=${shortHash(path)}`) || matchesAny(patterns, path);
}
