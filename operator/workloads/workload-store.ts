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
    return this.#workloads();
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
  *retain(listed: ReadonlySet<string>, version: string): Generator<readonly never[]> {
    const { namespaces, injected, gone } = this.#options;
    const prefix = `${this.#kind}/`;
    const isMissing = (key: string): boolean => key.startsWith(prefix) && !listed.has(key.slice(prefix.length));
    for (const [namespace, { entries }] of [...namespaces]) {
      for (const [key, { workload }] of [...entries]) {
        if (!isMissing(key)) continue;
        const isNewer = (compareVersions(workload.metadata.resourceVersion, version) ?? 0) > 0;
        if (!isNewer) gone(namespace, key);
      }
      yield [];
    }
    for (const namespace of injected.namespaces) {
      if (namespaces.has(namespace)) continue;
      for (const key of injected.of(namespace)) if (isMissing(key)) gone(namespace, key);
      yield [];
    }
  }

  #workloads(): Workload[] {
    return [...this.#options.namespaces.values()].flatMap(({ entries }) =>
      [...entries.values()].flatMap(({ workload }) => (workload.kind === this.#kind ? [workload] : [])),
    );
  }
}
