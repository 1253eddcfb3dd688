/**
 * How far rollouts of kinds are that the operator's setting `templates` adds, read as their own controllers write them. From
 * the Go types of argo-rollouts 1.10.2 (pkg/apis/rollouts/v1alpha1), kruise-api 1.8.0 (apps/v1alpha1), and the
 * conditions of Knative (knative.dev/pkg/apis). Pure.
 */
import { asList, asObject, asString } from './json.ts';
import type { RawObject } from './json.ts';
import { isAll, number, podsOf } from './rollout-state.ts';
import type { RolloutState } from './rollout-state.ts';
import { shownText } from './shown.ts';

// Its beginning tells what it is about.
const LONGEST_MESSAGE = 300;

/** Whether pods of an Argo Rollout that work stay until new ones are available. */
export function argoKeepsPods(spec: RawObject): boolean {
  const strategy = asObject(spec.strategy);
  return !isAll((asObject(strategy?.canary) ?? asObject(strategy?.blueGreen))?.maxUnavailable, spec);
}

/**
 * See Kind.rollout. Its controller says how far it is in one word, which counts once it has seen the newest spec. Paused is
 * also one that waits at a step of its strategy: somebody promotes it, and a change of its template would begin again.
 */
export function argoRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const { phase } = status;
  const flags = {
    paused: spec.paused === true || phase === 'Paused',
    onDelete: false,
    ...podsOf(spec, status, isSeen),
  };
  if (isSeen && phase === 'Degraded') {
    const message = shownText(asString(status.message) ?? 'its phase is Degraded', LONGEST_MESSAGE);
    return { phase: 'Failed', started: false, ...flags, message };
  }
  const isDone = isSeen && phase === 'Healthy';
  const started = isDone && flags.available && number(spec.replicas, 1) > 0;
  return { phase: isDone ? 'Complete' : 'Progressing', started, ...flags };
}

/** Whether pods of a CloneSet that work stay until new ones are available. */
export function cloneSetKeepsPods(spec: RawObject): boolean {
  return !isAll(asObject(spec.updateStrategy)?.maxUnavailable, spec);
}

/**
 * See Kind.rollout. With a partition some pods stay old on purpose, and its controller says how many should be new. A
 * strategy that only changes pods in place cannot add what injection adds: it counts as one by hand.
 */
export function cloneSetRollout(spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const strategy = asObject(spec.updateStrategy) ?? {};
  const desired = number(spec.replicas, 1);
  const updated = number(status.updatedReplicas);
  const flags = {
    paused: strategy.paused === true,
    onDelete: strategy.type === 'InPlaceOnly',
    ...podsOf(spec, status, isSeen),
  };
  const isDone =
    flags.available &&
    updated >= number(status.expectedUpdatedReplicas, desired) &&
    number(status.updatedAvailableReplicas, number(status.updatedReadyReplicas)) >= updated;
  return { phase: isDone ? 'Complete' : 'Progressing', started: isDone && updated > 0, ...flags };
}

/** See Kind.rollout: the condition Ready alone, as Knative writes it for the newest generation. It counts no pods. */
export function readyRollout(_spec: RawObject, status: RawObject, isSeen: boolean): RolloutState {
  const ready = (asList(status.conditions) ?? []).map(asObject).find((condition) => condition?.type === 'Ready');
  const said = isSeen ? asString(ready?.status) : undefined;
  const isReady = said === 'True';
  const flags = { paused: false, onDelete: false, idle: false, available: isReady, started: isReady };
  const progress = `${asString(ready?.status) ?? ''}/${asString(ready?.reason) ?? ''}`;
  if (said !== 'False') return { phase: isReady ? 'Complete' : 'Progressing', ...flags, progress };
  const message = shownText(asString(ready?.message) ?? 'its condition Ready is False', LONGEST_MESSAGE);
  return { phase: 'Failed', ...flags, progress, message };
}
