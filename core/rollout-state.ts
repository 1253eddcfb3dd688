/**
 * How far rollouts are, read from the spec and status of each kind of workload as its own controller and `kubectl rollout
 * status` read them. Pure.
 */
import { asList, asObject, asString } from './json.ts';
import { shownText } from './shown.ts';
import type { RawObject } from './json.ts';

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
  /** It has ended: it starts no pod any more (a Job). */
  readonly finished?: true;
}

/** Whether pods of a Deployment that work stay until new ones are available. */
export function deploymentKeepsPods(spec: RawObject): boolean {
  const strategy = asObject(spec.strategy);
  return strategy?.type !== 'Recreate' && !isAll(asObject(strategy?.rollingUpdate)?.maxUnavailable, spec);
}

// The reason that the Deployment controller sets in the condition Progressing
// (k8s.io/kubernetes/pkg/controller/deployment/util).
const ALL_AVAILABLE = 'NewReplicaSetAvailable';
const TIMED_OUT = 'ProgressDeadlineExceeded';
// Some name every container of a pod; the beginning tells what it is about.
const LONGEST_REFUSAL = 300;

/** See Kind.rollout. */
export function deploymentRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
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

/** See Kind.rollout. */
export function statefulSetRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
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

/** Whether pods of a DaemonSet that work stay on other nodes until those that were replaced are available. */
export function daemonSetKeepsPods(spec: RawObject): boolean {
  return asObject(asObject(spec.updateStrategy)?.rollingUpdate)?.maxUnavailable !== '100%';
}

/** See Kind.rollout. Its controller counts pods on nodes where they should run, and keeps no word about a rollout. */
export function daemonSetRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const desired = number(status.desiredNumberScheduled);
  const updated = number(status.updatedNumberScheduled);
  const working = number(status.numberAvailable);
  const available = isSeen && working >= desired;
  const isDone = available && updated >= desired;
  return {
    phase: isDone ? 'Complete' : 'Progressing',
    paused: false,
    onDelete: asObject(spec.updateStrategy)?.type === 'OnDelete',
    idle: isSeen && working === 0,
    available,
    started: isDone && updated > 0,
    progress: [updated, number(status.numberReady), working].join('/'),
  };
}

// Nothing waits for it, and nothing that runs can be broken by a change of its template.
const NOTHING_TO_ROLL: RolloutState = {
  ...{ phase: 'Complete', paused: false, onDelete: false, idle: true, available: true, started: false, progress: '' },
};

/** See Kind.rollout: a change of its template is for the next run, if it may change at all. */
export function nothingToRoll(): RolloutState {
  return NOTHING_TO_ROLL;
}

/** See Kind.rollout. Its pods have the template that it was created with. */
export function jobRollout(_: RawObject, status: RawObject): RolloutState {
  const ends = (asList(status.conditions) ?? []).map(asObject).filter((condition) => condition?.status === 'True');
  const isOver = ends.some((condition) => condition?.type === 'Complete' || condition?.type === 'Failed');
  return { ...NOTHING_TO_ROLL, idle: isOver, ...(isOver && { finished: true }) };
}

/** See Kind.rollout. Pods that run stay as they are, as with OnDelete. */
export function replicaSetRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  return { ...NOTHING_TO_ROLL, onDelete: true, ...podsOf(spec, status, isSeen) };
}

/** Whether a complete rollout has brought any pod: scaled to 0, or with a partition above all pods, it has not. */
function hasStarted(spec: RawObject, status: RawObject, { available }: Pick<RolloutState, 'available'>): boolean {
  return available && number(spec.replicas, 1) > 0 && number(status.updatedReplicas) > 0;
}

/** Returns what counts of pods say. Until the controller has seen the newest spec, they are about another one. */
export function podsOf(
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

/** Whether a value of maxUnavailable lets all pods go at once. */
export function isAll(maxUnavailable: unknown, spec: RawObject): boolean {
  return typeof maxUnavailable === 'number' ? maxUnavailable >= number(spec.replicas, 1) : maxUnavailable === '100%';
}

/** Returns a number, or the default if it is none. */
export function number(value: unknown, byDefault = 0): number {
  return typeof value === 'number' ? value : byDefault;
}
