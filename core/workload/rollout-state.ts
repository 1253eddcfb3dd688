/** How far the pods of a workload are with its newest template, as `kubectl rollout status` tells it. Pure. */
import { asList, asObject, asString } from '../json.ts';
import type { RawObject } from '../json.ts';
import type { WorkloadKind } from '../policy/rule.ts';

export interface RolloutState {
  /** Failed: the Deployment's controller gave up waiting for it (progressDeadlineSeconds). */
  readonly phase: 'Complete' | 'Progressing' | 'Failed';
  /** Somebody holds the Deployment's rollouts back (spec.paused). */
  readonly paused: boolean;
  /** Somebody replaces the StatefulSet's pods by hand (updateStrategy OnDelete). */
  readonly onDelete: boolean;
  /** What the API server says of a failure. */
  readonly message?: string;
}

/** Of a Deployment or StatefulSet as the API server has it; what is missing counts as the API server's default. */
export function rolloutStateOf(kind: WorkloadKind, object: RawObject): RolloutState {
  const spec = asObject(object.spec) ?? {};
  const status = asObject(object.status) ?? {};
  const generation = number(asObject(object.metadata)?.generation);
  const isSeen = number(status.observedGeneration) >= generation;
  return kind === 'Deployment' ? deploymentState(spec, status, isSeen) : statefulSetState(spec, status, isSeen);
}

// What the controller of Deployments writes as the reason of the condition Progressing
// (k8s.io/kubernetes/pkg/controller/deployment/util).
const ALL_AVAILABLE = 'NewReplicaSetAvailable';
const TIMED_OUT = 'ProgressDeadlineExceeded';

function deploymentState(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
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

function statefulSetState(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
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
