/**
 * The kinds of workloads, one row each: all that differs between them. Adding one takes a row here, its name in
 * `targets` of the CRD (and what is generated from it), and access to its resource in config/rbac/operator.yaml.
 */
import { asList, asObject } from './json.ts';
import type { RawObject } from './json.ts';
import type { KubernetesObject, Resource } from './object.ts';
import type { VaultInjectionPolicySpec } from './policy/policy.generated.ts';
import {
  cronJobRollout,
  daemonSetKeepsPods,
  daemonSetRollout,
  deploymentKeepsPods,
  deploymentRollout,
  jobRollout,
  number,
  statefulSetRollout,
} from './rollout-state.ts';
import type { RolloutState } from './rollout-state.ts';

export type { RolloutState } from './rollout-state.ts';

export interface Kind {
  readonly resource: Resource;
  /** The fields that lead from the object to its pod template. */
  readonly template: readonly ['spec', ...string[]];
  /**
   * Whether the containers of a stored object's template may change. If not, it is injected on creation or never, and an
   * update gets the injection that is stored.
   */
  readonly templateMayChange: boolean;
  /** Whether a change of its template replaces pods that run. If not, only pods of later have it. */
  readonly replacesPods: boolean;
  /** Whether its controller itself says when a rollout has taken too long. */
  readonly hasDeadline: boolean;
  /** Whether, by its spec, a rollout keeps pods that work until new ones are available. */
  readonly keepsPods: (spec: RawObject) => boolean;
  /** The kind whose controller makes such objects from a template of its own, which is the one that is injected. */
  readonly madeBy?: WorkloadKind;
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
    hasDeadline: true,
    keepsPods: deploymentKeepsPods,
    rollout: deploymentRollout,
  },
  StatefulSet: {
    resource: { group: 'apps', version: 'v1', plural: 'statefulsets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    replacesPods: true,
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
    hasDeadline: false,
    keepsPods: daemonSetKeepsPods,
    rollout: daemonSetRollout,
  },
  CronJob: {
    resource: { group: 'batch', version: 'v1', plural: 'cronjobs', trimmed: true },
    template: ['spec', 'jobTemplate', 'spec', 'template'],
    templateMayChange: true,
    replacesPods: false,
    hasDeadline: false,
    keepsPods: () => true,
    rollout: cronJobRollout,
  },
  Job: {
    resource: { group: 'batch', version: 'v1', plural: 'jobs', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: false,
    replacesPods: false,
    hasDeadline: false,
    keepsPods: () => true,
    madeBy: 'CronJob',
    rollout: jobRollout,
  },
};

export const WORKLOAD_KINDS = Object.keys(KINDS) as readonly WorkloadKind[];

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
  const [group = '', version = ''] = apiVersion.split('/');
  const known = kindOf(group, version, kind);
  if (known === undefined) throw new Error(`unreachable: ${apiVersion} ${kind} is no kind of workload`);
  return known;
}

/**
 * Returns the kinds whose controllers may have made a raw object from a template of theirs, by its owners. Who forges an
 * owner keeps their own pods from being injected, which the annotation `inject` does as well.
 */
export function makersOf(kind: WorkloadKind, object: RawObject): readonly WorkloadKind[] {
  const { madeBy } = KINDS[kind];
  if (madeBy === undefined) return NO_KINDS;
  const owners = (asList(asObject(object.metadata)?.ownerReferences) ?? []).map(asObject);
  const isIt = owners.some((owner) => owner?.kind === madeBy && owner.apiVersion === apiVersionOf(madeBy));
  return isIt ? [madeBy] : NO_KINDS;
}

const NO_KINDS: readonly WorkloadKind[] = [];

/** `group/version` of the kind. */
export function apiVersionOf(kind: WorkloadKind): string {
  const { group, version } = KINDS[kind].resource;
  return `${group}/${version}`;
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
