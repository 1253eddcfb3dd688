/** Which containers of a pod template a rule wants wrapped. */
import { matchesAny } from '../../operator/policies/match.ts';
import type { Rule } from '../../operator/policies/rule.ts';
import { expandedReferences, referringVariables } from './environment.ts';
import type { ReferringVariable } from './environment.ts';
import { asList, asObject } from './json.ts';
import type { RawObject } from './json.ts';
import type { Settings } from './overrides.ts';
import { CONTAINER_LISTS, nameOf } from './pod.ts';
import type { ContainerList } from './pod.ts';

export interface Selected {
  readonly list: ContainerList;
  readonly index: number;
  readonly name: string;
  readonly container: RawObject;
  readonly references: readonly ReferringVariable[];
}

/**
 * The containers to wrap, in the order in which they start. Warns of what a person will not have meant: references in a
 * container that the policy leaves out, malformed ones, and ones that the kubelet expands before vault-env could.
 */
export function select(podSpec: RawObject, rule: Rule, settings: Settings, warn: (text: string) => void): Selected[] {
  const selected: Selected[] = [];
  const names: string[] = [];
  for (const list of CONTAINER_LISTS) {
    for (const [index, item] of (asList(podSpec[list]) ?? []).entries()) {
      const container = asObject(item);
      const name = nameOf(container);
      if (container === undefined || name === undefined) continue;
      names.push(name);
      const references = referringVariables(container);
      if (!isIncluded(list, name, rule, settings)) {
        if (references.length > 0) {
          warn(
            `container ${name}: refers to Vault, but policy ${rule.policy.name} leaves it out; it gets the references`,
          );
        }
        continue;
      }
      if (references.length === 0 && rule.when !== 'Always' && settings.fromPaths.length === 0) continue;
      if (references.length > 0) warnOfReferences(name, container, references, rule, warn);
      selected.push({ list, index, name, container, references });
    }
  }
  for (const pattern of settings.include === rule.containers.include ? [] : settings.include) {
    if (!names.some((name) => matchesAny([pattern], name))) {
      warn(`vaultinjection.dev/containers: there is no container ${pattern}`);
    }
  }
  return selected;
}

function isIncluded(list: ContainerList, name: string, rule: Rule, { include }: Settings): boolean {
  if (list === 'initContainers' && !rule.initContainers) return false;
  return matchesAny(include, name) && !matchesAny(rule.containers.exclude, name);
}

function warnOfReferences(
  container: string,
  raw: RawObject,
  references: readonly ReferringVariable[],
  { policy, environment }: Rule,
  warn: (text: string) => void,
): void {
  for (const { name, fault, references: found } of references) {
    if (fault) warn(`container ${container}, ${name}, column ${fault.column}: ${fault.message}`);
    if (environment.transit.keyID === '' && found.some(({ kind }) => kind === 'Transit')) {
      const advice = `set environment.transit.keyID in policy ${policy.name}`;
      warn(`container ${container}, ${name}: ${advice} to decrypt it; the program will not start`);
    }
  }
  for (const { place, variable } of expandedReferences(raw, references)) {
    warn(
      `container ${container}: $(${variable}) in ${place} is expanded before vault-env: it becomes the reference's text`,
    );
  }
}
