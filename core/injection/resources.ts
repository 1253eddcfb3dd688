/**
 * The resources of the init container: those of one of the pod's own containers. What admits that container admits this
 * one too (a ResourceQuota, a LimitRange's minimum, maximum, ratio and defaults, the resources of the pod as a whole),
 * the QoS class of the pod stays, and so does what the pod needs: an init container counts only where it needs more than
 * all containers together. Pure.
 */
import { asList, asObject, own } from '../json.ts';
import type { RawObject } from '../json.ts';
import { compareQuantities } from './quantity.ts';

// Not devices, huge pages or claims: they are for the program.
const NAMES = ['cpu', 'memory', 'ephemeral-storage'] as const;
// vault-env is copied into memory, which counts for who copies it.
const LEAST_MEMORY = '32Mi';

/** Returns `resources` for a container that is added to this pod; empty if its containers have none. */
export function followedResources(podSpec: RawObject): RawObject {
  const containers = (asList(podSpec.containers) ?? []).map((item) => asObject(asObject(item)?.resources));
  const [first, ...others] = containers;
  const roomiest = others.reduce((best, one) => (hasMoreMemory(one, best) ? one : best), first);
  const [requests, limits] = [ours(roomiest?.requests), ours(roomiest?.limits)];
  const isTight = (compareQuantities(limits.memory, LEAST_MEMORY) ?? 0) < 0;
  if (isTight && requests.memory === limits.memory) requests.memory = LEAST_MEMORY;
  if (isTight) limits.memory = LEAST_MEMORY;
  return {
    ...(Object.keys(requests).length > 0 && { requests }),
    ...(Object.keys(limits).length > 0 && { limits }),
  };
}

/** No limit is the most. Of two without, the first counts. */
function hasMoreMemory(a: RawObject | undefined, b: RawObject | undefined): boolean {
  const [left, right] = [memoryLimit(a), memoryLimit(b)];
  if (right === undefined) return false;
  return left === undefined || (compareQuantities(left, right) ?? 0) > 0;
}

function memoryLimit(resources: RawObject | undefined): unknown {
  return own(asObject(resources?.limits), 'memory');
}

function ours(quantities: unknown): Record<string, unknown> {
  const all = asObject(quantities);
  const result: Record<string, unknown> = {};
  for (const name of NAMES) {
    const value = own(all, name);
    if (value !== undefined) result[name] = value;
  }
  return result;
}
