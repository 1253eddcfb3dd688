/**
 * The kinds of workloads, one row each: all that differs between them. Adding one takes a row here, its name in
 * `targets` of the CRD (and what is generated from it), and access to its resource in config/rbac/operator.yaml.
 */
import { asList, asObject, asString } from './json.ts';
import type { RawObject } from './json.ts';
import type { KubernetesObject, Resource } from './object.ts';
import type { VaultInjectionPolicySpec } from './policy/policy.generated.ts';
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
  /** Whether the inventory knows all of them. If not, they are counted when they are admitted. */
  readonly isWatched: boolean;
  /**
   * What becomes of an object that a controller has made from a template of its own. Own: it counts like any other.
   * ByTargets: it is left to that template by a policy that is also for the kind of its maker (makersOf()). Left: its
   * maker compares it with that template, so it is never injected itself.
   */
  readonly whenMade: 'Own' | 'ByTargets' | 'Left';
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

export type WorkloadKind = VaultInjectionPolicySpec['targets'][number];

export const KINDS: Readonly<Record<WorkloadKind, Kind>> = {
  Deployment: {
    resource: { group: 'apps', version: 'v1', plural: 'deployments', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: true,
    isWatched: true,
    whenMade: 'Own',
    hasDeadline: true,
    keepsPods: deploymentKeepsPods,
    rollout: deploymentRollout,
  },
  StatefulSet: {
    resource: { group: 'apps', version: 'v1', plural: 'statefulsets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: true,
    isWatched: true,
    whenMade: 'Own',
    hasDeadline: false,
    // one pod at a time is always replaced, and the next one only when it is available
    keepsPods: () => true,
    rollout: statefulSetRollout,
  },
  DaemonSet: {
    resource: { group: 'apps', version: 'v1', plural: 'daemonsets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: true,
    isWatched: true,
    whenMade: 'Own',
    hasDeadline: false,
    keepsPods: daemonSetKeepsPods,
    rollout: daemonSetRollout,
  },
  CronJob: {
    resource: { group: 'batch', version: 'v1', plural: 'cronjobs', trimmed: true },
    template: ['spec', 'jobTemplate', 'spec', 'template'],
    templateMayChange: true,
    replacesPods: false,
    isWatched: true,
    whenMade: 'Own',
    hasDeadline: false,
    keepsPods: () => true,
    rollout: nothingToRoll,
  },
  Job: {
    resource: { group: 'batch', version: 'v1', plural: 'jobs', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: false,
    replacesPods: false,
    isWatched: true,
    whenMade: 'ByTargets',
    hasDeadline: false,
    keepsPods: () => true,
    rollout: jobRollout,
  },
  ReplicaSet: {
    resource: { group: 'apps', version: 'v1', plural: 'replicasets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: false,
    isWatched: true,
    whenMade: 'Left',
    hasDeadline: false,
    keepsPods: () => true,
    rollout: replicaSetRollout,
  },
  ReplicationController: {
    resource: { group: '', version: 'v1', plural: 'replicationcontrollers', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: false,
    isWatched: true,
    whenMade: 'Left',
    hasDeadline: false,
    keepsPods: () => true,
    rollout: replicaSetRollout,
  },
  Pod: {
    resource: { group: '', version: 'v1', plural: 'pods', trimmed: true },
    template: [],
    templateMayChange: false,
    replacesPods: false,
    isWatched: false,
    whenMade: 'ByTargets',
    hasDeadline: false,
    keepsPods: () => true,
    rollout: nothingToRoll,
  },
};

export const WORKLOAD_KINDS = Object.keys(KINDS) as readonly WorkloadKind[];

/** Those that the inventory knows. */
export const WATCHED_KINDS = WORKLOAD_KINDS.filter((kind) => KINDS[kind].isWatched);

/** Returns the kind with that name, group and version, or undefined if the table has none. */
export function kindOf(group: string, version: string, name: string): WorkloadKind | undefined {
  const kind = WORKLOAD_KINDS.find((known) => known === name);
  if (kind === undefined) return undefined;
  const { resource } = KINDS[kind];
  return resource.group === group && resource.version === version ? kind : undefined;
}

/**
 * Returns the kind of a stored object. Throws if the table does not have it: nothing asks the API server for any other.
 */
export function kindOfObject({ apiVersion, kind }: Pick<KubernetesObject, 'apiVersion' | 'kind'>): WorkloadKind {
  const known = kindOf(...partsOfVersion(apiVersion), kind);
  if (known === undefined) throw new Error(`unreachable: ${apiVersion} ${kind} is no kind of workload`);
  return known;
}

/** Returns the group, '' for the core group, and the version. */
function partsOfVersion(apiVersion: string): readonly [group: string, version: string] {
  const slash = apiVersion.indexOf('/');
  return [apiVersion.slice(0, Math.max(0, slash)), apiVersion.slice(slash + 1)];
}

/** Which controller has made an object from a template of its own; Other: one of a kind that the table does not have. */
export type Maker = WorkloadKind | 'Other';

/**
 * Returns which controller has made a raw object, by its owners and labels; undefined if none has, or if its kind counts
 * by itself all the same. Anybody who forges an owner keeps their own pods from being injected, which the annotation
 * `inject` does as well.
 */
export function makerOf(kind: WorkloadKind, object: RawObject): Maker | undefined {
  if (KINDS[kind].whenMade === 'Own') return undefined;
  const metadata = asObject(object.metadata);
  const owners = (asList(metadata?.ownerReferences) ?? []).map(asObject);
  const owner = owners.find((one) => one?.controller === true) ?? owners[0];
  if (owner === undefined) return undefined;
  const known = kindOf(...partsOfVersion(asString(owner.apiVersion) ?? ''), asString(owner.kind) ?? '');
  // a pod names the ReplicaSet alone, and this label is what the controller of Deployments adds
  const isOfDeployment = known === 'ReplicaSet' && asObject(metadata?.labels)?.['pod-template-hash'] !== undefined;
  return isOfDeployment ? 'Deployment' : (known ?? 'Other');
}

/** `group/version` of the kind, or `version` for the core group. */
export function apiVersionOf(kind: WorkloadKind): string {
  const { group, version } = KINDS[kind].resource;
  return group === '' ? version : `${group}/${version}`;
}

/** Returns the pod template of a raw object, or undefined if there is none. */
export function templateOf(kind: WorkloadKind, object: RawObject | undefined): RawObject | undefined {
  return KINDS[kind].template.reduce((at: RawObject | undefined, field) => asObject(at?.[field]), object);
}

/** Returns how far the rollout of a raw object's newest template is. */
export function rolloutStateOf(kind: WorkloadKind, object: RawObject): RolloutState {
  const spec = asObject(object.spec) ?? {};
  const status = asObject(object.status) ?? {};
  const generation = number(asObject(object.metadata)?.generation);
  return KINDS[kind].rollout(spec, status, number(status.observedGeneration) >= generation);
}

/** Whether a raw object's pods that work stay until new ones are available. */
export function keepsPods(kind: WorkloadKind, object: RawObject): boolean {
  return KINDS[kind].keepsPods(asObject(object.spec) ?? {});
}
