import type { WorkloadKind } from '../../core/kinds.ts';

/**
 * Which workloads are stored with an injected template, by namespace, also where no policy is any more: such a namespace
 * stays in the webhook's configuration until the last of them is restored or gone.
 */
export class InjectedNamespaces {
  readonly #keys = new Map<string, Set<string>>();

  note(namespace: string, key: string, isInjected: boolean): void {
    const keys = this.#keys.get(namespace);
    if (isInjected) {
      if (keys === undefined) this.#keys.set(namespace, new Set([key]));
      else keys.add(key);
    } else if (keys?.delete(key) === true && keys.size === 0) this.#keys.delete(namespace);
  }

  has(namespace: string): boolean {
    return this.#keys.has(namespace);
  }

  get namespaces(): ReadonlySet<string> {
    return new Set(this.#keys.keys());
  }

  /** Whether there are any of a kind. */
  some(kind: WorkloadKind): boolean {
    const prefix = `${kind}/`;
    return [...this.#keys.values()].some((keys) => [...keys].some((key) => key.startsWith(prefix)));
  }

  /** Returns the keys of those in the namespace. */
  of(namespace: string): readonly string[] {
    return [...(this.#keys.get(namespace) ?? [])];
  }
}
