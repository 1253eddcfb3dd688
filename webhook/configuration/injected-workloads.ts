import { annotationsOf } from '../../core/injection/pod.ts';
import { annotation } from '../../core/injection/annotations.ts';
import { KINDS, templateOf, WORKLOAD_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { itemsOf } from '../../kube/items.ts';
import type { ObjectClient } from '../../kube/object-client.ts';

/** Where injected workloads are stored in the API server. */

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
  for (const kind of WORKLOAD_KINDS) {
    const resource = { ...KINDS[kind].resource, ...(namespace !== undefined && { namespace }) };
    for await (const object of itemsOf(client, resource, { limit: PAGE })) yield { kind, object };
  }
}

function isInjected(kind: WorkloadKind, object: KubernetesObject): boolean {
  return annotationsOf(templateOf(kind, object))?.[annotation.injected] !== undefined;
}
