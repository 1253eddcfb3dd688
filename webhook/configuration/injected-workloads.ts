import { isInjected } from '../../core/injection/injected.ts';
import { KINDS, rowOf, watchedKinds } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { itemsIfServed } from '../../kube/items.ts';
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
export async function holdsInjected(
  client: ObjectClient,
  namespace: string,
  kind: WorkloadKind,
  kinds: Kinds = KINDS,
): Promise<boolean> {
  for await (const object of workloads(client, kind, kinds, namespace))
    if (isInjected(kind, object, kinds)) return true;
  return false;
}

/** Resolves with the kinds that have one, by namespace, in the whole cluster. */
export async function injectedKinds(client: ObjectClient, kinds: Kinds = KINDS): Promise<Sent> {
  const found = new Map<string, Set<WorkloadKind>>();
  for (const kind of watchedKinds(kinds)) {
    for await (const object of workloads(client, kind, kinds)) {
      const { namespace } = object.metadata;
      if (namespace === undefined || !isInjected(kind, object, kinds)) continue;
      const there = found.get(namespace);
      if (there === undefined) found.set(namespace, new Set([kind]));
      else there.add(kind);
    }
  }
  return found;
}

function workloads(
  client: ObjectClient,
  kind: WorkloadKind,
  kinds: Kinds,
  namespace?: string,
): AsyncIterable<KubernetesObject> {
  const resource = { ...rowOf(kind, kinds).resource, ...(namespace !== undefined && { namespace }) };
  return itemsIfServed(client, resource, { limit: PAGE });
}
