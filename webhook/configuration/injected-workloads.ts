import type { KubernetesObject, Resource } from '../../core/object.ts';
import { itemsOf } from '../../kube/items.ts';
import type { ObjectClient } from '../../kube/object-client.ts';

/** Where injected workloads are, as the API server has them stored. */

interface Workload extends KubernetesObject {
  readonly spec?: {
    readonly template?: {
      readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> | null } | null;
    };
  };
}

const INJECTED = 'vaultinjection.dev/injected';
const KINDS: readonly Resource[] = [
  { group: 'apps', version: 'v1', plural: 'deployments' },
  { group: 'apps', version: 'v1', plural: 'statefulsets' },
];
// Half of kubectl's: templates are large, and one hit is enough.
const PAGE = 250;

/** Whether any Deployment or StatefulSet of the namespace has an injected template. */
export async function holdsInjected(client: ObjectClient, namespace: string): Promise<boolean> {
  for await (const workload of workloads(client, namespace)) if (isInjected(workload)) return true;
  return false;
}

/** All namespaces of the cluster that hold one. */
export async function namespacesWithInjected(client: ObjectClient): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const workload of workloads(client)) {
    if (workload.metadata.namespace !== undefined && isInjected(workload)) found.add(workload.metadata.namespace);
  }
  return found;
}

async function* workloads(client: ObjectClient, namespace?: string): AsyncGenerator<Workload> {
  for (const kind of KINDS) {
    const resource = namespace === undefined ? kind : { ...kind, namespace };
    yield* itemsOf<Workload>(client, resource, { limit: PAGE });
  }
}

function isInjected({ spec }: Workload): boolean {
  return spec?.template?.metadata?.annotations?.[INJECTED] !== undefined;
}
