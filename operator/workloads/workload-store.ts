import type { WorkloadKind } from '../../core/kinds.ts';
import { keyOf } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { compareVersions } from '../../core/resource-version.ts';
import { workloadKey } from '../../core/workload/workload.ts';
import type { Workload } from '../../core/workload/workload.ts';
import type { Store } from '../../kube/object-store.ts';
import type { InjectedNamespaces } from './injected-namespaces.ts';
import type { RuledNamespace } from './ruled-namespace.ts';

export interface WorkloadStoreOptions {
  readonly namespaces: ReadonlyMap<string, RuledNamespace>;
  readonly injected: InjectedNamespaces;
  /** Called with each workload that a list or a watch brings. */
  readonly arrived: (object: KubernetesObject) => void;
  /** Called when one is gone. */
  readonly gone: (namespace: string, key: string) => void;
}

/** What the inventory keeps of one kind, as the store of that kind's informer. It reports no changes: it notes them. */
export class WorkloadStore implements Store<KubernetesObject> {
  readonly #kind: WorkloadKind;
  readonly #options: WorkloadStoreOptions;

  constructor(kind: WorkloadKind, options: WorkloadStoreOptions) {
    this.#kind = kind;
    this.#options = options;
  }

  get(key: string): KubernetesObject | undefined {
    return this.list().find(({ metadata }) => keyOf(metadata) === key);
  }

  list(): readonly KubernetesObject[] {
    return this.#entries().map(({ workload }) => workload);
  }

  put(object: KubernetesObject): readonly never[] {
    this.#options.arrived(object);
    return [];
  }

  remove({ metadata: { namespace = '', name } }: KubernetesObject): readonly never[] {
    this.#options.gone(namespace, workloadKey({ kind: this.#kind, metadata: { namespace, name } }));
    return [];
  }

  /** What is newer than the list has come by another way meanwhile. */
  retain(listed: ReadonlySet<string>, version: string): readonly never[] {
    const { injected, gone } = this.#options;
    for (const { key, workload } of this.#entries()) {
      const { metadata } = workload;
      const isNewer = (compareVersions(metadata.resourceVersion, version) ?? 0) > 0;
      if (!listed.has(keyOf(metadata)) && !isNewer) gone(metadata.namespace, key);
    }
    const prefix = `${this.#kind}/`;
    for (const [namespace, key] of injected.all()) {
      const isOurs = key.startsWith(prefix) && !this.#options.namespaces.has(namespace);
      if (isOurs && !listed.has(key.slice(prefix.length))) gone(namespace, key);
    }
    return [];
  }

  #entries(): { readonly key: string; readonly workload: Workload }[] {
    return [...this.#options.namespaces.values()].flatMap(({ entries }) =>
      [...entries].flatMap(([key, { workload }]) => (workload.kind === this.#kind ? [{ key, workload }] : [])),
    );
  }
}
