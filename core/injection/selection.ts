/** Which containers of a pod template a rule wants wrapped. */
import { annotation } from './annotations.ts';
import type { EffectiveOptions } from './annotations.ts';
import { matchesAny } from '../policy/match.ts';
import type { Rule } from '../policy/rule.ts';
import { EnvironmentBudget, excessOfObjects, MOST_REFERENCES } from './budget.ts';
import { expandedReferences, expansionsOf, faultText, referringVariables, variableText } from './environment.ts';
import type { Expansion, ReferringVariable } from './environment.ts';
import { asList, asObject } from '../json.ts';
import type { RawObject } from '../json.ts';
import { CONTAINER_LISTS, nameOf } from './pod.ts';
import type { ContainerList } from './pod.ts';
import { SourceNotes } from './source-notes.ts';
import type { Untold } from './source-notes.ts';
import { originOf, sourcedEnvironment } from './sourced-environment.ts';
import type { SourcedEnvironment } from './sourced-environment.ts';
import type { KnownSources, SourceNeeds } from './sources.ts';
import { warnOfFiles, warnOfProbes, warnOfUnresolved } from './unresolved.ts';

export interface Selected {
  readonly list: ContainerList;
  readonly index: number;
  readonly name: string;
  readonly container: RawObject;
  readonly references: readonly ReferringVariable[];
  /** Undefined if nothing of it comes from a ConfigMap or a Secret. */
  readonly environment: SourcedEnvironment | undefined;
  /** Some of it is not written out in the manifest: it comes from elsewhere, or the kubelet completes it. */
  readonly isOpen: boolean;
}

export interface Selection {
  /** The containers to wrap, in the order in which they start. */
  readonly selected: readonly Selected[];
  readonly untold: readonly Untold[];
  /** Undefined if no object needs to be read. */
  readonly needs: SourceNeeds | undefined;
  /** What is too much in the environment, as the beginning of a sentence: then nothing is selected. */
  readonly excess?: string;
}

export interface SelectionContext {
  readonly rule: Rule;
  readonly options: EffectiveOptions;
  /** What is known about the objects that the environment comes from; undefined if nothing is. */
  readonly known: KnownSources | undefined;
  /** Names of containers that an earlier admission has wrapped. */
  readonly wasWrapped: ReadonlySet<string>;
  /** The workload itself asks to be injected. */
  readonly isAsked: boolean;
  readonly warn: (text: string) => void;
}

/**
 * Chooses the containers to wrap. Warns about what nobody would intend: references in a container that the policy
 * leaves out, malformed ones, ones that the kubelet expands before vault-env could, and objects that nobody has read.
 */
export function select(podSpec: RawObject, context: SelectionContext): Selection {
  const { rule, options, known, warn } = context;
  const { literals } = rule.environment;
  const notes = new SourceNotes(context.wasWrapped, warn);
  const budget = new EnvironmentBudget();
  const selected: Selected[] = [];
  const names: string[] = [];
  for (const list of CONTAINER_LISTS) {
    for (const [index, item] of (asList(podSpec[list]) ?? []).entries()) {
      const container = asObject(item);
      const name = nameOf(container);
      if (container === undefined || name === undefined) continue;
      names.push(name);
      const isLeftOut = !isIncluded(list, name, rule, options);
      const origin = isLeftOut ? undefined : originOf(container);
      const environment =
        origin === 'Objects' ? sourcedEnvironment(container, rule.sources, known, budget, literals) : undefined;
      if (isLeftOut) {
        warnOfUnresolved(container, `policy ${rule.policy.name} excludes this container`, warn, literals);
        continue;
      }
      const references = environment?.references ?? referringVariables(container, MOST_REFERENCES + 1, literals);
      budget.takeReferences(references.reduce((sum, { references: found }) => sum + Math.max(1, found.length), 0));
      const { excess } = budget;
      if (excess !== undefined) return { selected: [], untold: [], needs: undefined, excess };
      if (environment !== undefined) notes.note(environment);
      const isReferring = references.length > 0 || rule.when === 'Always' || options.fromPaths.length > 0;
      if (!isReferring && (environment === undefined || !notes.selects(name, environment))) {
        warnOfFiles(name, container, warn);
        continue;
      }
      if (isReferring && environment !== undefined) notes.warnOfOpen(name, environment);
      const expansions = expansionsOf(container);
      if (references.length > 0) warnOfReferences(name, container, references, expansions, rule, warn);
      if (references.length > 0 && !rule.probes) warnOfProbes(name, container, warn);
      const isOpen = origin !== undefined || expansions.some(({ into }) => into !== undefined);
      selected.push({ list, index, name, container, references, environment, isOpen });
    }
  }
  for (const pattern of options.include === rule.containers.include ? [] : options.include) {
    if (!names.some((name) => matchesAny([pattern], name))) {
      warn(`${annotation.containers}: there is no container ${pattern}`);
    }
  }
  const excess = excessOfObjects(notes.needs?.objects.length ?? 0);
  if (excess !== undefined) return { selected: [], untold: [], needs: undefined, excess };
  if (context.isAsked || (rule.when === 'References' && selected.length === 0)) notes.warnOfIgnored();
  return { selected, untold: notes.untold, needs: notes.needs };
}

function isIncluded(list: ContainerList, name: string, rule: Rule, { include }: EffectiveOptions): boolean {
  if (list === 'initContainers' && !rule.initContainers) return false;
  return matchesAny(include, name) && !matchesAny(rule.containers.exclude, name);
}

function warnOfReferences(
  container: string,
  raw: RawObject,
  references: readonly ReferringVariable[],
  expansions: readonly Expansion[],
  { policy, environment }: Rule,
  warn: (text: string) => void,
): void {
  for (const variable of references) {
    const { fault, references: found } = variable;
    if (fault) warn(`container ${container}, ${faultText(variable, fault)}`);
    if (environment.transit.keyID === '' && found.some(({ kind }) => kind === 'Transit')) {
      const advice = `set environment.transit.keyID in policy ${policy.name}`;
      warn(`container ${container}, ${variableText(variable)}: ${advice} to decrypt it; the program will not start`);
    }
  }
  for (const { place, variable } of expandedReferences(raw, references, expansions)) {
    warn(
      `container ${container}: $(${variable}) in ${place} is expanded before vault-env: it becomes the reference's text`,
    );
  }
}
