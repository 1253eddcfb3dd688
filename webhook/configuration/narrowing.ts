import { asList, asObject, asString, equal, without } from '../../core/json.ts';
import { shownText } from '../../core/shown.ts';
import type { RawObject } from '../../core/json.ts';
import type { LabelRequirement } from '../../core/policy/rule.ts';
import { matchesSelector } from '../../core/policy/match.ts';
import { NAMESPACE_LABEL } from './configuration.ts';
import type { WebhookEntry } from './configuration.ts';

/**
 * What platforms add to the entries of every webhook, such as the admissions enforcer of AKS and GKE Autopilot. All terms
 * of a selector and all conditions must hold, so a further one can only make API servers call less often.
 */

type Labels = Readonly<Record<string, string>>;

/** What somebody has added to an entry, none of which makes API servers call the webhook more often. */
export interface Narrowing {
  /** Terms of the namespaceSelector; its matchLabels are among them, as `In` with one value. */
  readonly expressions: readonly LabelRequirement[];
  /** Whether the objectSelector has further terms. */
  readonly objects: boolean;
  /** Names of further matchConditions. */
  readonly conditions: readonly string[];
}

interface Selector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly LabelRequirement[];
}

const SELECTIVE = ['namespaceSelector', 'objectSelector', 'matchConditions'] as const;

/** Returns what was added to `built` so that `observed` came out; undefined if anything else differs. */
export function narrowingOf(observed: WebhookEntry, built: WebhookEntry): Narrowing | undefined {
  if (!equal(without(observed, ...SELECTIVE), without(built, ...SELECTIVE))) return undefined;
  const namespaces = termsBeyond(observed.namespaceSelector, built.namespaceSelector);
  const objects = termsBeyond(observed.objectSelector, built.objectSelector);
  const conditions = conditionsBeyond(observed.matchConditions, built.matchConditions);
  if (namespaces === undefined || objects === undefined || conditions === undefined) return undefined;
  return { expressions: namespaces, objects: objects.length > 0, conditions };
}

/**
 * Returns the term that keeps this namespace out; undefined if all of them let it in. `labels` are those of the
 * namespace, or undefined where they are not known: then only terms about its name count.
 */
export function excludingTerm(
  { expressions }: Narrowing,
  namespace: string,
  labels: Labels | undefined,
): LabelRequirement | undefined {
  if (expressions.length === 0) return undefined;
  const all = { ...labels, [NAMESPACE_LABEL]: namespace };
  return expressions
    .filter(({ key }) => key === NAMESPACE_LABEL || labels !== undefined)
    .find((expression) => !matchesSelector({ matchLabels: {}, matchExpressions: [expression] }, all));
}

/** Whether only the labels of a namespace tell if its workloads are sent here. */
export function needsLabels({ expressions }: Narrowing): boolean {
  return expressions.some(({ key }) => key !== NAMESPACE_LABEL);
}

/** Describes what was added that no namespace tells anything about, for people; undefined if there is nothing. */
export function unevaluated({ objects, conditions }: Narrowing): string | undefined {
  const parts = [
    ...(objects ? ['terms of the objectSelector'] : []),
    ...(conditions.length > 0 ? [`matchConditions ${conditions.join(', ')}`] : []),
  ];
  return parts.length === 0 ? undefined : shownText(parts.join(' and '), LONGEST_TEXT);
}

/** Describes a term as kubectl does, such as `control-plane NotIn [true]`. */
export function describeTerm({ key, operator, values }: LabelRequirement): string {
  const list = values.length === 0 ? '' : ` [${values.join(', ')}]`;
  return shownText(`${key} ${operator}${list}`, LONGEST_TEXT);
}

const LONGEST_TEXT = 200;

/**
 * Returns `built` with the terms that others have added to the selectors of `observed`: server-side apply replaces a
 * selector as a whole, and without them API servers would call more often until the platform has added them again.
 * Further matchConditions are not among them: apply leaves those of others in place.
 *
 * Of terms about the names of namespaces only exclusions are kept: of two lists of names to include, one may be an
 * earlier one of this operator, and would keep all namespaces out that came later.
 */
export function keepingNarrowing(built: WebhookEntry, observed: WebhookEntry | undefined): WebhookEntry {
  if (observed === undefined) return built;
  return {
    ...built,
    namespaceSelector: keptSelector(built.namespaceSelector, observed.namespaceSelector),
    objectSelector: keptSelector(built.objectSelector, observed.objectSelector),
  };
}

/** Returns the conditions in `observed` under other names than those in `built`. */
export function furtherConditions(built: WebhookEntry, observed: WebhookEntry | undefined): readonly unknown[] {
  const own = new Set(listOf(built.matchConditions).map(nameOf));
  return listOf(observed?.matchConditions).filter((condition) => !own.has(nameOf(condition)));
}

function keptSelector(built: unknown, observed: unknown): RawObject {
  const [own, found] = [selectorOf(built), selectorOf(observed)];
  const excluded = own.matchExpressions.find(isExclusion)?.values ?? [];
  const isKept = (term: LabelRequirement): boolean =>
    !(term.key === NAMESPACE_LABEL && term.operator === 'In') &&
    // a shorter list of ours, from an earlier version
    !(isExclusion(term) && term.values.every((value) => excluded.includes(value)));
  const expressions = [...own.matchExpressions];
  for (const term of found.matchExpressions.filter(isKept)) {
    if (!expressions.some((other) => equal(other, term))) expressions.push(term);
  }
  const labels = { ...found.matchLabels, ...own.matchLabels };
  return {
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions.map(asWritten) }),
    ...(Object.keys(labels).length === 0 ? {} : { matchLabels: labels }),
  };
}

/** Terms of `observed` that are not in `built`; undefined if one of `built` is missing. */
function termsBeyond(observed: unknown, built: unknown): readonly LabelRequirement[] | undefined {
  const own = selectorOf(built);
  const found = selectorOf(observed);
  const terms = [...found.matchExpressions, ...asTerms(found.matchLabels)];
  for (const wanted of [...own.matchExpressions, ...asTerms(own.matchLabels)]) {
    const at = terms.findIndex((term) => equal(term, wanted));
    if (at >= 0) terms.splice(at, 1);
    // values that were added to a list of exclusions narrow as well
    else if (!isExclusion(wanted) || !terms.some((term) => isExclusion(term) && includesAll(term, wanted)))
      return undefined;
  }
  return terms;
}

function conditionsBeyond(observed: unknown, built: unknown): readonly string[] | undefined {
  const found = listOf(observed);
  const own = listOf(built);
  if (!own.every((wanted) => found.some((condition) => equal(condition, wanted)))) return undefined;
  return found.filter((condition) => !own.some((wanted) => equal(condition, wanted))).map(nameOf);
}

function isExclusion({ key, operator }: LabelRequirement): boolean {
  return key === NAMESPACE_LABEL && operator === 'NotIn';
}

function includesAll({ values }: LabelRequirement, wanted: LabelRequirement): boolean {
  return wanted.values.every((value) => values.includes(value));
}

function selectorOf(value: unknown): Selector {
  const { matchLabels, matchExpressions } = asObject(value) ?? {};
  return {
    matchLabels: (asObject(matchLabels) ?? {}) as Labels,
    matchExpressions: listOf(matchExpressions).map((term) => {
      const { key, operator, values } = asObject(term) ?? {};
      return {
        key: asString(key) ?? '',
        operator: operator as LabelRequirement['operator'],
        values: listOf(values) as readonly string[],
      };
    }),
  };
}

/** As the API server stores it: Exists and DoesNotExist have no values. */
function asWritten({ key, operator, values }: LabelRequirement): RawObject {
  return values.length === 0 ? { key, operator } : { key, operator, values };
}

function asTerms(labels: Labels): readonly LabelRequirement[] {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: 'In', values: [value] }));
}

function listOf(value: unknown): readonly unknown[] {
  return asList(value) ?? [];
}

function nameOf(value: unknown): string {
  return asString(asObject(value)?.name) ?? '';
}
