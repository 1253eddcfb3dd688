import { isInjected } from '../../core/injection/injected.ts';
import { KINDS, WATCHED_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { itemsOf } from '../../kube/items.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Sent } from './groups.ts';

/** Where injected workloads are stored in the API server. */

/** What a copy of the cluster's workloads knows, without a request. */
export interface InjectedCopy {
  /** Whether any workload of the kind in the namespace is injected; undefined: not all workloads are known yet. */
  holdsInjected(namespace: string, kind: WorkloadKind): boolean | undefined;
  /** Returns the kinds that have one, by namespace; undefined: not all workloads are known yet. */
  injectedKinds(): Sent | undefined;
  /** When the API server last confirmed the copy, by Clock.elapsed(); undefined: never. */
  readonly lastSeen: number | undefined;
}

// Half of kubectl's: templates are large, and one hit is enough.
const PAGE = 250;

/** Whether any workload of the kind in the namespace has an injected template. */
export async function holdsInjected(client: ObjectClient, namespace: string, kind: WorkloadKind): Promise<boolean> {
  for await (const object of workloads(client, kind, namespace)) if (isInjected(kind, object)) return true;
  return false;
}

/** Resolves with the kinds that have one, by namespace, in the whole cluster. */
export async function injectedKinds(client: ObjectClient): Promise<Sent> {
  const found = new Map<string, Set<WorkloadKind>>();
  for (const kind of WATCHED_KINDS) {
    for await (const object of workloads(client, kind)) {
      const { namespace } = object.metadata;
      if (namespace === undefined || !isInjected(kind, object)) continue;
      const kinds = found.get(namespace);
      if (kinds === undefined) found.set(namespace, new Set([kind]));
      else kinds.add(kind);
    }
  }
  return found;
}

function workloads(client: ObjectClient, kind: WorkloadKind, namespace?: string): AsyncIterable<KubernetesObject> {
  const resource = { ...KINDS[kind].resource, ...(namespace !== undefined && { namespace }) };
  return itemsOf(client, resource, { limit: PAGE });
}
