import { annotation } from '../../core/injection/annotations.ts';
import { asList, asObject } from '../../core/json.ts';
import { KINDS } from '../../core/kinds.ts';
import type { Kind, Kinds, WorkloadKind } from '../../core/kinds.ts';

/** Which requests the API server sends here for some kinds of workloads, derived from the table of kinds. */

/** A RuleWithOperations of admissionregistration.k8s.io. */
export interface WorkloadRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
  readonly scope: 'Namespaced';
}

/** A MatchCondition of admissionregistration.k8s.io: CEL that the API server evaluates before it calls. */
export interface MatchCondition {
  readonly name: string;
  readonly expression: string;
}

/** Returns those rows of the table. */
export function rowsOf(names: readonly WorkloadKind[], table: Kinds = KINDS): Kinds {
  return Object.fromEntries(Object.entries(table).filter(([name]) => names.includes(name)));
}

/** Returns one rule for all kinds of a group and version. Updates are for all: those that cannot change are reproduced. */
export function workloadRules(kinds: Kinds): readonly WorkloadRule[] {
  const alike = Map.groupBy(Object.values(kinds), ({ resource: { group, version } }) => `${group}/${version}`);
  return [...alike.values()].flatMap((rows) =>
    rows.slice(0, 1).map(({ resource: { group, version } }) => ({
      apiGroups: [group],
      apiVersions: [version],
      operations: ['CREATE', 'UPDATE'],
      resources: rows.map(({ resource }) => resource.plural),
      scope: 'Namespaced',
    })),
  );
}

/** Returns the kinds that rules of an object in the cluster are about, in the order of the table. */
export function kindsIn(rules: unknown, table: Kinds = KINDS): readonly WorkloadKind[] {
  const found = (asList(rules) ?? []).map((rule) => {
    const { apiGroups, apiVersions, resources } = asObject(rule) ?? {};
    return { groups: asList(apiGroups) ?? [], versions: asList(apiVersions) ?? [], resources: asList(resources) ?? [] };
  });
  const isSent = ({ resource: { group, version, plural } }: Kind): boolean =>
    found.some(
      (rule) => rule.groups.includes(group) && rule.versions.includes(version) && rule.resources.includes(plural),
    );
  return Object.entries(table).flatMap(([name, kind]) => (isSent(kind) ? [name] : []));
}

/**
 * Returns what a request must meet so that it is sent here. What is not sent costs nothing, and is stored also while the
 * webhook cannot answer; so all that a review would leave as it is should be left out. Every path is guarded: under Fail
 * a condition that cannot be evaluated refuses the request.
 */
export function matchConditions(kinds: Kinds): readonly MatchCondition[] {
  const conditions: readonly (readonly [name: string, expression: string | undefined])[] = [
    ['is-not-being-deleted', '!has(object.metadata.deletionTimestamp)'],
    ['changes-what-injection-reads', `request.operation == 'CREATE' || ${changes(kinds)}`],
    ['is-not-decided-by-its-owner', notOwned(kinds)],
    ['is-no-mirror-pod', notMirrored(kinds)],
  ];
  return conditions.flatMap(([name, expression]) => (expression === undefined ? [] : [{ name, expression }]));
}

// What the kubelet reports of a manifest on its node: it may not differ from it.
const MIRROR = 'kubernetes.io/config.mirror';

/** One without a template is a pod itself. */
const isPod = ({ template }: Kind): boolean => template.length === 0;
const hasTemplate = (kind: Kind): boolean => !isPod(kind);

/**
 * Most updates are those of controllers and change nothing that injection looks at (replicas, paused, finalizers). Labels
 * and annotations of pods change all the time, and decide nothing any more: of a pod counts what it has from injection.
 */
function changes(kinds: Kinds): string {
  const templates = [templateDiffers(kinds), differs('labels'), differs('annotations')].filter((text) => text !== '');
  return either([when(kinds, hasTemplate, either(templates)), when(kinds, isPod, podDiffers())]);
}

/** Whether the pod template differs, wherever the kind has it. */
function templateDiffers(kinds: Kinds): string {
  const withTemplate = Object.fromEntries(Object.entries(kinds).filter(([, kind]) => hasTemplate(kind)));
  return either(
    pathsOf(withTemplate).map((path) =>
      when(withTemplate, (kind) => pathOf(kind) === path, `object${path} != oldObject${path}`),
    ),
  );
}

function podDiffers(): string {
  const names = [annotation.injected, annotation.original].map((name) => `'${name}'`);
  const had = `${mapIn('oldObject', 'annotations')}[?name]`;
  const isLost = `${had}.hasValue() && ${had} != ${mapIn('object', 'annotations')}[?name]`;
  return either(['object.?spec != oldObject.?spec', `[${names.join(', ')}].exists(name, ${isLost})`]);
}

/**
 * What a controller made from a template of its own is decided there, as makerOf() in core/kinds.ts has it: one that its
 * maker compares with that template is never injected, another one not if that template was.
 */
function notOwned(kinds: Kinds): string | undefined {
  const isByTargets = ({ whenMade }: Kind): boolean => whenMade === 'ByTargets';
  const made = [
    when(kinds, ({ whenMade }) => whenMade === 'Left', 'true'),
    ...pathsOf(kinds).map((path) =>
      when(
        kinds,
        (kind) => isByTargets(kind) && pathOf(kind) === path,
        `object${path}.?metadata.?annotations[?'${annotation.injected}'].hasValue()`,
      ),
    ),
  ].filter((text) => text !== undefined);
  if (made.length === 0) return undefined;
  const isOwned = 'object.metadata.?ownerReferences.orValue([]).size() > 0';
  return made.includes('true') ? `!(${isOwned})` : `!(${isOwned} && (${either(made)}))`;
}

function notMirrored(kinds: Kinds): string | undefined {
  if (!Object.values(kinds).some(isPod)) return undefined;
  // of no other kind it means anything
  return `!object.metadata.?annotations[?'${MIRROR}'].hasValue()`;
}

/** Returns the expression for those kinds alone: as it is if there are no others, and undefined if there are none. */
function when(kinds: Kinds, pick: (kind: Kind) => boolean, expression: string): string | undefined {
  const all = Object.values(kinds);
  const rows = all.filter(pick);
  if (rows.length === 0) return undefined;
  if (rows.length === all.length) return expression;
  // two groups may have a kind of the same name
  const isUnique = new Set(all.map(({ kind }) => kind)).size === all.length;
  const names = rows.map(({ kind, resource }) => `'${isUnique ? kind : `${kind}.${resource.group}`}'`);
  const name = isUnique ? 'request.kind.kind' : "request.kind.kind + '.' + request.kind.group";
  const isOne = `${name} in [${names.join(', ')}]`;
  return expression === 'true' ? isOne : `(${isOne} && (${expression}))`;
}

function either(expressions: readonly (string | undefined)[]): string {
  return expressions.filter((text) => text !== undefined).join(' || ');
}

/** `.?spec.?template`, or nothing for a pod. */
function pathOf({ template }: Kind): string {
  return template.map((field) => `.?${field}`).join('');
}

function pathsOf(kinds: Kinds): readonly string[] {
  return [...new Set(Object.values(kinds).map(pathOf))];
}

/** Absent and empty maps mean the same. */
function differs(map: string): string {
  return `${mapIn('object', map)} != ${mapIn('oldObject', map)}`;
}

function mapIn(owner: string, map: string): string {
  return `${owner}.metadata.?${map}.orValue({})`;
}
