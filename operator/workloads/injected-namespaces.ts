import type { WorkloadKind } from '../../core/kinds.ts';

/**
 * Which workloads are stored with an injected template, by namespace and kind, also where no policy is any more: these
 * stay in the webhook's configuration until the last of them is restored or gone.
 */
export class InjectedNamespaces {
  readonly #keys = new Map<string, Map<WorkloadKind, Set<string>>>();

  /** Takes the key of a workload (workloadKey()), which begins with its kind. */
  note(namespace: string, key: string, isInjected: boolean): void {
    const kind = key.slice(0, key.indexOf('/'));
    const kinds = this.#keys.get(namespace);
    if (isInjected) {
      const keys = kinds?.get(kind);
      if (kinds === undefined) this.#keys.set(namespace, new Map([[kind, new Set([key])]]));
      else if (keys === undefined) kinds.set(kind, new Set([key]));
      else keys.add(key);
      return;
    }
    const keys = kinds?.get(kind);
    if (keys?.delete(key) !== true || keys.size > 0) return;
    kinds?.delete(kind);
    if (kinds?.size === 0) this.#keys.delete(namespace);
  }

  has(namespace: string, kind: WorkloadKind): boolean {
    return this.#keys.get(namespace)?.has(kind) === true;
  }

  get namespaces(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** By namespace. */
  get kinds(): ReadonlyMap<string, ReadonlySet<WorkloadKind>> {
    return new Map([...this.#keys].map(([namespace, kinds]) => [namespace, new Set(kinds.keys())]));
  }

  /** Whether there are any of a kind. */
  some(kind: WorkloadKind): boolean {
    return [...this.#keys.values()].some((kinds) => kinds.has(kind));
  }

  /** Returns the keys of those in the namespace. */
  of(namespace: string): readonly string[] {
    return [...(this.#keys.get(namespace)?.values() ?? [])].flatMap((keys) => [...keys]);
  }
}
