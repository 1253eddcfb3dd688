/**
 * The kinds of workloads, one row each: all that differs between them. To add one takes a row here, its name among
 * `targets` of the CRD (and what is generated from it), and the right to its resource in config/rbac/operator.yaml.
 */
import { asList, asObject, asString } from './json.ts';
import type { RawObject } from './json.ts';
import type { KubernetesObject, Resource } from './object.ts';
import type { VaultInjectionPolicySpec } from './policy/policy.generated.ts';

/** How far the pods of a workload are with its newest template, as `kubectl rollout status` tells it. */
export interface RolloutState {
  /** Failed: the controller of the workload gave up waiting for it (progressDeadlineSeconds of a Deployment). */
  readonly phase: 'Complete' | 'Progressing' | 'Failed';
  /** Somebody holds the rollouts back (spec.paused of a Deployment). */
  readonly paused: boolean;
  /** Somebody replaces the pods by hand (updateStrategy OnDelete of a StatefulSet). */
  readonly onDelete: boolean;
  /** What the API server says of a failure. */
  readonly message?: string;
}

export interface Kind {
  readonly resource: Resource;
  /** The fields that lead from the object to its pod template. */
  readonly template: readonly ['spec', ...string[]];
  /** Whether the template of a stored object may change. If not, it is injected when it is created or never. */
  readonly templateMayChange: boolean;
  /**
   * Reads the rollout from spec and status; a field that is missing counts as the API server's default. `isSeen`: the
   * controller has seen the newest spec.
   */
  readonly rollout: (spec: RawObject, status: RawObject, isSeen: boolean) => RolloutState;
}

export type WorkloadKind = VaultInjectionPolicySpec['targets'][number];

export const KINDS: Readonly<Record<WorkloadKind, Kind>> = {
  Deployment: {
    resource: { group: 'apps', version: 'v1', plural: 'deployments' },
    template: ['spec', 'template'],
    templateMayChange: true,
    rollout: deploymentRollout,
  },
  StatefulSet: {
    resource: { group: 'apps', version: 'v1', plural: 'statefulsets' },
    template: ['spec', 'template'],
    templateMayChange: true,
    rollout: statefulSetRollout,
  },
};

export const WORKLOAD_KINDS = Object.keys(KINDS) as readonly WorkloadKind[];

/** The kind of that name, group and version; undefined where it is none of the table. */
export function kindOf(group: string, version: string, name: string): WorkloadKind | undefined {
  const kind = WORKLOAD_KINDS.find((known) => known === name);
  if (kind === undefined) return undefined;
  const { resource } = KINDS[kind];
  return resource.group === group && resource.version === version ? kind : undefined;
}

/** The kind of a stored object. Throws where it is none of the table: nobody asks the API server for any other. */
export function kindOfObject({ apiVersion, kind }: Pick<KubernetesObject, 'apiVersion' | 'kind'>): WorkloadKind {
  const [group = '', version = ''] = apiVersion.split('/');
  const known = kindOf(group, version, kind);
  if (known === undefined) throw new Error(`unreachable: ${apiVersion} ${kind} is no kind of workload`);
  return known;
}

/** `group/version` of the kind. */
export function apiVersionOf(kind: WorkloadKind): string {
  const { group, version } = KINDS[kind].resource;
  return `${group}/${version}`;
}

/** The pod template of a raw object; undefined where there is none. */
export function templateOf(kind: WorkloadKind, object: RawObject | undefined): RawObject | undefined {
  return KINDS[kind].template.reduce((at: RawObject | undefined, field) => asObject(at?.[field]), object);
}

/** A raw object with this pod template and nothing else. */
export function objectWith(kind: WorkloadKind, template: RawObject | undefined): RawObject {
  return KINDS[kind].template.reduceRight((inner: unknown, field) => ({ [field]: inner }), template) as RawObject;
}

/** How far the pods of a raw object are with its newest template. */
export function rolloutStateOf(kind: WorkloadKind, object: RawObject): RolloutState {
  const spec = asObject(object.spec) ?? {};
  const status = asObject(object.status) ?? {};
  const generation = number(asObject(object.metadata)?.generation);
  return KINDS[kind].rollout(spec, status, number(status.observedGeneration) >= generation);
}

// What the controller of Deployments writes as the reason of the condition Progressing
// (k8s.io/kubernetes/pkg/controller/deployment/util).
const ALL_AVAILABLE = 'NewReplicaSetAvailable';
const TIMED_OUT = 'ProgressDeadlineExceeded';

function deploymentRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const desired = number(spec.replicas, 1);
  const updated = number(status.updatedReplicas);
  const conditions = (asList(status.conditions) ?? []).map(asObject);
  const progress = conditions.find((condition) => condition?.type === 'Progressing');
  const flags = { paused: spec.paused === true, onDelete: false };
  if (!isSeen) return { phase: 'Progressing', ...flags };
  if (progress?.status === 'False' && progress.reason === TIMED_OUT) {
    return { phase: 'Failed', ...flags, message: asString(progress.message) ?? 'its progress deadline is exceeded' };
  }
  // As the controller decides it: once complete, neither a pod that fails later nor a scaling makes it unfinished again.
  const wasComplete =
    progress?.status === 'True' && progress.reason === ALL_AVAILABLE && number(status.replicas) === updated;
  const isComplete =
    updated >= desired && number(status.replicas) <= updated && number(status.availableReplicas) >= updated;
  return { phase: wasComplete || isComplete ? 'Complete' : 'Progressing', ...flags };
}

function statefulSetRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const desired = number(spec.replicas, 1);
  const strategy = asObject(spec.updateStrategy) ?? {};
  const partition = number(asObject(strategy.rollingUpdate)?.partition);
  const flags = { paused: false, onDelete: strategy.type === 'OnDelete' };
  // The controller makes both revisions one when all pods are of it and were ready at the same time; with a partition it
  // never does.
  const wasComplete = status.updateRevision !== undefined && status.updateRevision === status.currentRevision;
  const available = number(status.availableReplicas, number(status.readyReplicas));
  const isComplete = number(status.updatedReplicas) >= Math.max(0, desired - partition) && available >= desired;
  return { phase: isSeen && (wasComplete || isComplete) ? 'Complete' : 'Progressing', ...flags };
}

function number(value: unknown, byDefault = 0): number {
  return typeof value === 'number' ? value : byDefault;
}
