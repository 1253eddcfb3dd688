import { isInjected } from '../../core/injection/injected.ts';
import { rowOf, watchedKinds } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { itemsOf } from '../../kube/items.ts';
import type { ObjectClient } from '../../kube/object-client.ts';

/** Where injected workloads are stored in the API server. */

/** What a copy of the cluster's workloads knows, without a request. */
export interface InjectedCopy {
  /** Whether any workload of the namespace is injected; undefined: not all workloads are known yet. */
  holdsInjected(namespace: string): boolean | undefined;
  /** Returns all namespaces that have one; undefined: not all workloads are known yet. */
  namespacesWithInjected(): ReadonlySet<string> | undefined;
  /** When the API server last confirmed the copy, by Clock.elapsed(); undefined: never. */
  readonly lastSeen: number | undefined;
}

// Half of kubectl's: templates are large, and one hit is enough.
const PAGE = 250;

/** Whether any workload of the namespace has an injected template. */
export async function holdsInjected(client: ObjectClient, namespace: string): Promise<boolean> {
  for await (const { kind, object } of workloads(client, namespace)) if (isInjected(kind, object)) return true;
  return false;
}

/** Resolves with all namespaces of the cluster that have one. */
export async function namespacesWithInjected(client: ObjectClient): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const { kind, object } of workloads(client)) {
    const { namespace } = object.metadata;
    if (namespace !== undefined && isInjected(kind, object)) found.add(namespace);
  }
  return found;
}

interface Found {
  readonly kind: WorkloadKind;
  readonly object: KubernetesObject;
}

async function* workloads(client: ObjectClient, namespace?: string): AsyncGenerator<Found> {
  for (const kind of watchedKinds()) {
    const resource = { ...rowOf(kind).resource, ...(namespace !== undefined && { namespace }) };
    for await (const object of itemsOf(client, resource, { limit: PAGE })) yield { kind, object };
  }
}
