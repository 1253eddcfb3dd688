/**
 * The kinds of workloads, one row each: all that differs between them. Adding one takes a row here, its name in
 * `targets` of the CRD (and what is generated from it), and access to its resource in config/rbac/operator.yaml.
 */
import { asList, asObject, asString } from './json.ts';
import { shownText } from './shown.ts';
import type { RawObject } from './json.ts';
import type { KubernetesObject, Resource } from './object.ts';
import type { VaultInjectionPolicySpec } from './policy/policy.generated.ts';

/** How far the rollout of a workload's newest template is, as `kubectl rollout status` reports it. */
export interface RolloutState {
  /** Failed: the workload's controller gave up waiting for it (progressDeadlineSeconds of a Deployment). */
  readonly phase: 'Complete' | 'Progressing' | 'Failed';
  /** Rollouts are paused (spec.paused of a Deployment). */
  readonly paused: boolean;
  /** Pods are replaced by hand (updateStrategy OnDelete of a StatefulSet). */
  readonly onDelete: boolean;
  /** No pod of it works: its controller counts none that is available, or it has none. A rollout can break nothing. */
  readonly idle: boolean;
  /** Whether all pods that it should have are available. */
  readonly available: boolean;
  /**
   * Whether pods of the newest template have become available: all pods that it should have are, and at least one of them
   * is of that template.
   */
  readonly started: boolean;
  /** When its rollout completed, as the API server says; undefined: it does not say. */
  readonly completedAt?: number;
  /** Changes whenever its pods come closer to the newest template, or fall behind. */
  readonly progress: string;
  /** What the API server says about a failure. */
  readonly message?: string;
  /** Why the API server refuses to create its pods, in its words (ReplicaFailure of a Deployment). */
  readonly refused?: string;
}

export interface Kind {
  readonly resource: Resource;
  /** The fields that lead from the object to its pod template. */
  readonly template: readonly ['spec', ...string[]];
  /** Whether the template of a stored object may change. If not, it is injected on creation or never. */
  readonly templateMayChange: boolean;
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
    hasDeadline: true,
    keepsPods: deploymentKeepsPods,
    rollout: deploymentRollout,
  },
  StatefulSet: {
    resource: { group: 'apps', version: 'v1', plural: 'statefulsets', trimmed: true },
    template: ['spec', 'template'],
    templateMayChange: true,
    hasDeadline: false,
    // one pod at a time is always replaced, and the next one only when it is available
    keepsPods: () => true,
    rollout: statefulSetRollout,
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

function deploymentKeepsPods(spec: RawObject): boolean {
  const strategy = asObject(spec.strategy);
  const { maxUnavailable } = asObject(strategy?.rollingUpdate) ?? {};
  const isAll =
    typeof maxUnavailable === 'number' ? maxUnavailable >= number(spec.replicas, 1) : maxUnavailable === '100%';
  return strategy?.type !== 'Recreate' && !isAll;
}

// The reason that the Deployment controller sets in the condition Progressing
// (k8s.io/kubernetes/pkg/controller/deployment/util).
const ALL_AVAILABLE = 'NewReplicaSetAvailable';
const TIMED_OUT = 'ProgressDeadlineExceeded';
// Some name every container of a pod; the beginning tells what it is about.
const LONGEST_REFUSAL = 300;

function deploymentRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const desired = number(spec.replicas, 1);
  const updated = number(status.updatedReplicas);
  const conditions = (asList(status.conditions) ?? []).map(asObject);
  const progress = conditions.find((condition) => condition?.type === 'Progressing');
  const failure = conditions.find((condition) => condition?.type === 'ReplicaFailure');
  const refused = failure?.status === 'True' ? asString(failure.message) : undefined;
  const flags = {
    ...{ paused: spec.paused === true, onDelete: false, ...podsOf(spec, status, isSeen) },
    ...(refused !== undefined && { refused: shownText(refused, LONGEST_REFUSAL) }),
  };
  if (!isSeen) return { phase: 'Progressing', started: false, ...flags };
  if (progress?.status === 'False' && progress.reason === TIMED_OUT) {
    return {
      phase: 'Failed',
      started: false,
      ...flags,
      message: shownText(asString(progress.message) ?? 'its progress deadline is exceeded', LONGEST_REFUSAL),
    };
  }
  // As the controller sees it: once complete, a rollout stays complete when a pod fails later or the workload is
  // scaled.
  const wasComplete =
    progress?.status === 'True' && progress.reason === ALL_AVAILABLE && number(status.replicas) === updated;
  const isComplete =
    updated >= desired && number(status.replicas) <= updated && number(status.availableReplicas) >= updated;
  const completedAt = wasComplete ? Date.parse(asString(progress.lastUpdateTime) ?? '') : NaN;
  return {
    phase: wasComplete || isComplete ? 'Complete' : 'Progressing',
    started: (wasComplete || isComplete) && hasStarted(spec, status, flags),
    ...flags,
    ...(Number.isNaN(completedAt) ? {} : { completedAt }),
  };
}

function statefulSetRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const desired = number(spec.replicas, 1);
  const strategy = asObject(spec.updateStrategy) ?? {};
  const partition = number(asObject(strategy.rollingUpdate)?.partition);
  const flags = { paused: false, onDelete: strategy.type === 'OnDelete', ...podsOf(spec, status, isSeen) };
  // The controller sets both revisions to the same value once all pods have it and were ready at the same time; with a
  // partition it never does.
  const wasComplete = status.updateRevision !== undefined && status.updateRevision === status.currentRevision;
  const available = availableOf(status);
  const isComplete = number(status.updatedReplicas) >= Math.max(0, desired - partition) && available >= desired;
  const isDone = isSeen && (wasComplete || isComplete);
  return { phase: isDone ? 'Complete' : 'Progressing', started: isDone && hasStarted(spec, status, flags), ...flags };
}

/** Whether a complete rollout has brought any pod: scaled to 0, or with a partition above all pods, it has not. */
function hasStarted(spec: RawObject, status: RawObject, { available }: Pick<RolloutState, 'available'>): boolean {
  return available && number(spec.replicas, 1) > 0 && number(status.updatedReplicas) > 0;
}

/** Until the controller has seen the newest spec, its counts are about another one. */
function podsOf(
  spec: RawObject,
  status: RawObject,
  isSeen: boolean,
): Pick<RolloutState, 'idle' | 'available' | 'progress'> {
  const desired = number(spec.replicas, 1);
  const working = desired === 0 ? number(status.replicas) : availableOf(status);
  const counts = [status.updatedReplicas, status.readyReplicas, status.availableReplicas].map((count) => number(count));
  const available = isSeen && availableOf(status) >= desired;
  return { idle: isSeen && working === 0, available, progress: counts.join('/') };
}

/** A StatefulSet of an old API server counts only those that are ready; a count of zero is left out. */
function availableOf(status: RawObject): number {
  return number(status.availableReplicas, number(status.readyReplicas));
}

function number(value: unknown, byDefault = 0): number {
  return typeof value === 'number' ? value : byDefault;
}
