/**
 * The kinds of workloads, one row each: all that differs between them. Adding a built-in one takes a row here, its name in
 * `targets` of the CRD, and access to its resource in config/rbac/operator.yaml. Others come from the operator's setting
 * `templates` (core/added-kinds.ts), so a table is passed to what may meet them; by default it is that of the built-in ones.
 */
import { asList, asObject, asString } from './json.ts';
import type { RawObject } from './json.ts';
import type { KubernetesObject, Resource } from './object.ts';
import {
  nothingToRoll,
  daemonSetKeepsPods,
  daemonSetRollout,
  deploymentKeepsPods,
  deploymentRollout,
  jobRollout,
  number,
  replicaSetRollout,
  statefulSetRollout,
} from './rollout-state.ts';
import type { RolloutState } from './rollout-state.ts';

export type { RolloutState } from './rollout-state.ts';

export interface Kind {
  /** As objects of it say in the field `kind`. */
  readonly kind: string;
  readonly resource: Resource;
  /** The fields that lead from the object to its pod template; none if the object is a pod itself. */
  readonly template: readonly string[];
  /**
   * Whether the containers of a stored object's template may change. If not, it is injected on creation or never, and an
   * update gets the injection that is stored.
   */
  readonly templateMayChange: boolean;
  /** Whether a change of its template replaces pods that run. If not, only pods of later have it. */
  readonly replacesPods: boolean;
  /**
   * Whether the inventory knows all of them. WhenTargeted: only while a policy names the kind, or injected ones are known:
   * there may be very many, or none because their CRD is not installed. Never: they are counted when they are admitted.
   */
  readonly watched: 'Always' | 'WhenTargeted' | 'Never';
  /**
   * What becomes of an object that a controller has made from a template of its own. Own: it counts like any other, and
   * is left only to a kind that the setting `templates` adds.
   * ByTargets: it is left to that template by a policy that is also for the kind of its maker (makerOf()). Left: its
   * maker compares it with that template, so it is never injected itself.
   */
  readonly whenMade: 'Own' | 'ByTargets' | 'Left';
  /** Kinds of the same API group that are made from its template, and make others from it. None: left out. */
  readonly between?: readonly string[];
  /** Whether its controller itself says when a rollout has taken too long. */
  readonly hasDeadline: boolean;
  /** Whether, by its spec, a rollout keeps pods that work until new ones are available. */
  readonly keepsPods: (spec: RawObject) => boolean;
  /**
   * Reads the rollout from spec and status; a missing field counts as the API server's default. `isSeen`: the
   * controller has seen the newest spec.
   */
  readonly rollout: (spec: RawObject, status: RawObject, isSeen: boolean) => RolloutState;
}

/** The kinds that every operator knows. */
export type BuiltInKind =
  'Deployment' | 'StatefulSet' | 'DaemonSet' | 'CronJob' | 'Job' | 'ReplicaSet' | 'ReplicationController' | 'Pod';

/** The name of a kind in `targets` of a policy: a built-in one, or `Kind.group` of one that the setting `templates` adds. */
export type WorkloadKind = string;

/** The kinds that an operator knows, by their names in `targets`. */
export type Kinds = Readonly<Record<WorkloadKind, Kind>>;

/** How a rollout is read, and what it does to pods. */
export type Reading = Pick<Kind, 'replacesPods' | 'hasDeadline' | 'keepsPods' | 'rollout'>;

/** Of a kind of which a change of the template is for pods of later. */
export const FOR_LATER: Reading = {
  replacesPods: false,
  hasDeadline: false,
  keepsPods: () => true,
  rollout: nothingToRoll,
};

export const KINDS: Readonly<Record<BuiltInKind, Kind>> = {
  Deployment: {
    kind: 'Deployment',
    resource: { group: 'apps', version: 'v1', plural: 'deployments', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: true,
    watched: 'Always',
    whenMade: 'Own',
    hasDeadline: true,
    keepsPods: deploymentKeepsPods,
    rollout: deploymentRollout,
  },
  StatefulSet: {
    kind: 'StatefulSet',
    resource: { group: 'apps', version: 'v1', plural: 'statefulsets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: true,
    watched: 'Always',
    whenMade: 'Own',
    hasDeadline: false,
    // one pod at a time is always replaced, and the next one only when it is available
    keepsPods: () => true,
    rollout: statefulSetRollout,
  },
  DaemonSet: {
    kind: 'DaemonSet',
    resource: { group: 'apps', version: 'v1', plural: 'daemonsets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: true,
    watched: 'Always',
    whenMade: 'Own',
    hasDeadline: false,
    keepsPods: daemonSetKeepsPods,
    rollout: daemonSetRollout,
  },
  CronJob: {
    kind: 'CronJob',
    resource: { group: 'batch', version: 'v1', plural: 'cronjobs', trimmed: true },
    template: ['spec', 'jobTemplate', 'spec', 'template'],
    templateMayChange: true,
    watched: 'Always',
    whenMade: 'Own',
    ...FOR_LATER,
  },
  Job: {
    kind: 'Job',
    resource: { group: 'batch', version: 'v1', plural: 'jobs', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: false,
    watched: 'Always',
    whenMade: 'ByTargets',
    ...FOR_LATER,
    rollout: jobRollout,
  },
  ReplicaSet: {
    kind: 'ReplicaSet',
    resource: { group: 'apps', version: 'v1', plural: 'replicasets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    watched: 'WhenTargeted',
    whenMade: 'Left',
    ...FOR_LATER,
    rollout: replicaSetRollout,
  },
  ReplicationController: {
    kind: 'ReplicationController',
    resource: { group: '', version: 'v1', plural: 'replicationcontrollers', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    watched: 'WhenTargeted',
    whenMade: 'Left',
    ...FOR_LATER,
    rollout: replicaSetRollout,
  },
  Pod: {
    kind: 'Pod',
    resource: { group: '', version: 'v1', plural: 'pods', trimmed: true },
    template: [],
    templateMayChange: false,
    watched: 'Never',
    whenMade: 'ByTargets',
    ...FOR_LATER,
  },
};

export const WORKLOAD_KINDS = Object.keys(KINDS) as readonly BuiltInKind[];

// As the CRD has it.
const OF_A_GROUP = /^[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?){2,}$/;
const LONGEST_NAME = 317;

/** Whether a value is a name that a kind of the setting `templates` may have in `targets`, known or not. */
export function isNameOfAdded(value: unknown): value is WorkloadKind {
  return typeof value === 'string' && value.length <= LONGEST_NAME && OF_A_GROUP.test(value);
}

/** Returns the names of all kinds. */
export function namesOf(kinds: Kinds): readonly WorkloadKind[] {
  return Object.keys(kinds);
}

/** Returns the names of those that the inventory knows, if only while policies name them. */
export function watchedKinds(kinds: Kinds = KINDS): readonly WorkloadKind[] {
  return namesOf(kinds).filter((name) => rowOf(name, kinds).watched !== 'Never');
}

/** Returns the row of a kind. Throws if there is none: such names come from the table. */
export function rowOf(name: WorkloadKind, kinds: Kinds = KINDS): Kind {
  const row = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (row === undefined) throw new Error(`unreachable: ${name} is no kind of workload`);
  return row;
}

/** Returns the name of the kind with that name in objects, group and version, or undefined if the table has none. */
export function kindOf(
  group: string,
  version: string,
  objectKind: string,
  kinds: Kinds = KINDS,
): WorkloadKind | undefined {
  const found = Object.entries(kinds).find(
    ([, { kind, resource }]) => kind === objectKind && resource.group === group && resource.version === version,
  );
  return found?.[0];
}

/**
 * Returns the kind of a stored object. Throws if the table does not have it: nothing asks the API server for any other.
 */
export function kindOfObject(
  { apiVersion, kind }: Pick<KubernetesObject, 'apiVersion' | 'kind'>,
  kinds: Kinds = KINDS,
): WorkloadKind {
  const known = kindOf(...partsOfVersion(apiVersion), kind, kinds);
  if (known === undefined) throw new Error(`unreachable: ${apiVersion} ${kind} is no kind of workload`);
  return known;
}

/** Returns the group, '' for the core group, and the version. */
function partsOfVersion(apiVersion: string): readonly [group: string, version: string] {
  const slash = apiVersion.indexOf('/');
  return [apiVersion.slice(0, Math.max(0, slash)), apiVersion.slice(slash + 1)];
}

/** The kind of a controller that has made an object from a template of its own; 'Other': one that the table does not have. */
export type Maker = WorkloadKind;

/** What a controller adds to the ReplicaSets that it makes, and to their pods, which name the ReplicaSet alone. */
const LABELS_OF_MAKERS: Readonly<Record<string, Pick<Resource, 'group'> & { readonly kind: string }>> = {
  'pod-template-hash': { group: 'apps', kind: 'Deployment' },
  'rollouts-pod-template-hash': { group: 'argoproj.io', kind: 'Rollout' },
};

/**
 * Returns which controller has made a raw object, by its owners and labels; undefined if none has, or if its kind counts
 * by itself all the same: that is left only to a kind that the setting `templates` adds. Anybody who forges an owner keeps
 * their own pods from being injected, which the annotation `inject` does as well.
 */
export function makerOf(kind: WorkloadKind, object: RawObject, kinds: Kinds = KINDS): Maker | undefined {
  const metadata = asObject(object.metadata);
  const owners = (asList(metadata?.ownerReferences) ?? []).map(asObject);
  const owner = owners.find((one) => one?.controller === true) ?? owners[0];
  if (owner === undefined) return undefined;
  const [group, version] = partsOfVersion(asString(owner.apiVersion) ?? '');
  const ownerKind = asString(owner.kind) ?? '';
  const byLabel = group === 'apps' && ownerKind === 'ReplicaSet' ? byLabelsOf(metadata, kinds) : undefined;
  const maker = byLabel ?? kindOf(group, version, ownerKind, kinds) ?? kindAbove(group, ownerKind, kinds);
  const isAdded = maker !== undefined && maker !== 'Other' && !Object.hasOwn(KINDS, maker);
  if (whenMadeOf(kind) === 'Own' && !isAdded) return undefined;
  return maker ?? 'Other';
}

/** Whether an object is never injected itself, because a controller has made it. */
export function isLeftToMaker(kind: WorkloadKind, object: RawObject, kinds: Kinds = KINDS): boolean {
  return whenMadeOf(kind) !== 'ByTargets' && makerOf(kind, object, kinds) !== undefined;
}

/** Returns what becomes of what controllers have made: no kind that the setting `templates` adds is left to others. */
export function whenMadeOf(kind: WorkloadKind): Kind['whenMade'] {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind as BuiltInKind].whenMade : 'Own';
}

function byLabelsOf(metadata: RawObject | undefined, kinds: Kinds): Maker | undefined {
  const labels = asObject(metadata?.labels) ?? {};
  const found = Object.entries(LABELS_OF_MAKERS).find(([label]) => Object.hasOwn(labels, label));
  if (found === undefined) return undefined;
  const [, { group, kind }] = found;
  // a ReplicaSet of a kind that nobody knows is no template of its own, either
  return namesOf(kinds).find((name) => kinds[name]?.kind === kind && kinds[name].resource.group === group) ?? 'Other';
}

/** Returns the kind whose template the objects of a kind in between are made from. */
function kindAbove(group: string, ownerKind: string, kinds: Kinds): WorkloadKind | undefined {
  return namesOf(kinds).find(
    (name) => kinds[name]?.resource.group === group && kinds[name].between?.includes(ownerKind) === true,
  );
}

/** `group/version` of a kind, or `version` for the core group. */
export function apiVersionOf(kind: WorkloadKind, kinds: Kinds = KINDS): string {
  return apiVersionIn(rowOf(kind, kinds));
}

/** The same, for who has the row of the kind. */
export function apiVersionIn({ resource: { group, version } }: Pick<Kind, 'resource'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** Returns the pod template of a raw object, or undefined if there is none. */
export function templateOf(
  kind: WorkloadKind,
  object: RawObject | undefined,
  kinds: Kinds = KINDS,
): RawObject | undefined {
  return templateIn(rowOf(kind, kinds), object);
}

/** The same, for who has the row of the kind. */
export function templateIn({ template }: Pick<Kind, 'template'>, object: RawObject | undefined): RawObject | undefined {
  return template.reduce((at: RawObject | undefined, field) => asObject(at?.[field]), object);
}

/** Returns how far the rollout of a raw object's newest template is. */
export function rolloutStateOf(kind: WorkloadKind, object: RawObject, kinds: Kinds = KINDS): RolloutState {
  const spec = asObject(object.spec) ?? {};
  const status = asObject(object.status) ?? {};
  const generation = number(asObject(object.metadata)?.generation);
  return rowOf(kind, kinds).rollout(spec, status, observedIn(status) >= generation);
}

/** Returns the generation that the controller has seen: Argo Rollouts writes it as text. */
function observedIn({ observedGeneration: observed }: RawObject): number {
  return typeof observed === 'string' && /^\d{1,15}$/.test(observed) ? Number(observed) : number(observed);
}

/** Whether a raw object's pods that work stay until new ones are available. */
export function keepsPods(kind: WorkloadKind, object: RawObject, kinds: Kinds = KINDS): boolean {
  return rowOf(kind, kinds).keepsPods(asObject(object.spec) ?? {});
}
