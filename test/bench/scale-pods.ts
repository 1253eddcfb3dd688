/**
 * Pods that are created one after the other under a policy that names Pod, as by a busy namespace: how long a creation
 * takes, and how often the operator writes what it counted. No kubelet is needed: pods without a node are stored, and
 * deleted again.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { ScaleCluster } from './scale-cluster.ts';
import { progress, VIPS } from './scale-cluster.ts';

const NAMESPACE = 'bench-pods';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const POLICY = `${VIPS}/namespaces/${NAMESPACE}/vaultinjectionpolicies/pods`;
const AT_ONCE = 32;
const LOOK_MS = 500;
// The leader writes at most every 30 s, and a replica tells every 10 s.
const WRITTEN_WITHIN_MS = 60_000;

interface CountingPolicy {
  readonly metadata: { readonly resourceVersion: string };
  readonly status?: {
    readonly pods?: { readonly injected: number };
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface PodFigures {
  readonly podsPerMinute: number;
  readonly createMs: readonly number[];
  /** Of those that were created, how many the status counts in the end. */
  readonly counted: number;
  /** How often the policy was written while they were created. */
  readonly writes: number;
}

/** Creates so many pods within a minute, if the API server and the webhook keep up. */
export async function measurePods(cluster: ScaleCluster, count: number): Promise<PodFigures> {
  progress(`${count} pods are created within a minute`);
  const { api } = cluster;
  await cluster.makeNamespace(NAMESPACE);
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await api.create(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, account);
  await cluster.makePolicy(NAMESPACE, 'pods', {}, { targets: ['Pod'] });
  const read = (): Promise<CountingPolicy> => api.get<CountingPolicy>(POLICY);
  await until(read, ({ status }) =>
    (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True'),
  );
  let isOver = false;
  const writes = countWrites(read, () => isOver);
  const createMs: number[] = [];
  const began = performance.now();
  let next = 0;
  const createSome = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      await sleep(Math.max(0, began + (index * 60_000) / count - performance.now()));
      const started = performance.now();
      await api.create(PODS, cluster.pod(index, NAMESPACE));
      createMs.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, createSome));
  const minutes = (performance.now() - began) / 60_000;
  isOver = true;
  const injected = ({ status }: CountingPolicy): number => status?.pods?.injected ?? 0;
  const last = await until(read, (policy) => injected(policy) >= count);
  await api.delete(PODS);
  return { podsPerMinute: count / minutes, createMs, counted: injected(last), writes: await writes };
}

/** Returns how often the policy has another version. */
async function countWrites(read: () => Promise<CountingPolicy>, isOver: () => boolean): Promise<number> {
  const versions = new Set<string>();
  while (!isOver()) {
    versions.add((await read()).metadata.resourceVersion);
    await sleep(LOOK_MS);
  }
  return versions.size - 1;
}

/** Resolves with the policy once it is like this, or after a minute. */
async function until(
  read: () => Promise<CountingPolicy>,
  is: (policy: CountingPolicy) => boolean,
): Promise<CountingPolicy> {
  const deadline = Date.now() + WRITTEN_WITHIN_MS;
  for (;;) {
    const policy = await read();
    if (is(policy) || Date.now() > deadline) return policy;
    await sleep(LOOK_MS);
  }
}
