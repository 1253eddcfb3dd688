import type { WorkloadKind } from '../../core/kinds.ts';
import type { UncoveredWorkload } from '../../core/workload/uncovered.ts';
import { partsOfWorkloadKey } from '../../core/workload/workload.ts';

/** The workloads that would be injected if a policy of their namespace named their kind. */
export class Uncovered {
  /** By namespace: the policy that would apply, by the key of the workload. */
  readonly #policies = new Map<string, Map<string, string>>();
  readonly #counts = new Map<WorkloadKind, number>();

  /**
   * Notes which policy would apply to a workload, undefined if it is none of them (any more). Returns the names of the
   * policies for which that is news.
   */
  note(key: string, policy: string | undefined): readonly string[] {
    const { kind, namespace } = partsOfWorkloadKey(key);
    const known = this.#policies.get(namespace);
    const before = known?.get(key);
    if (before === policy) return [];
    if (policy === undefined) {
      known?.delete(key);
      if (known?.size === 0) this.#policies.delete(namespace);
    } else if (known === undefined) this.#policies.set(namespace, new Map([[key, policy]]));
    else known.set(key, policy);
    const change = (policy === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    const count = (this.#counts.get(kind) ?? 0) + change;
    if (count > 0) this.#counts.set(kind, count);
    else this.#counts.delete(kind);
    return [before, policy].filter((name) => name !== undefined);
  }

  /** Returns those of a namespace. */
  of(namespace: string): readonly UncoveredWorkload[] {
    return [...(this.#policies.get(namespace) ?? [])].map(([key, policy]) => {
      const { kind, name } = partsOfWorkloadKey(key);
      return { kind, name, policy };
    });
  }

  /** Returns how many there are of each kind. */
  counts(): Readonly<Partial<Record<WorkloadKind, number>>> {
    return Object.fromEntries(this.#counts);
  }
}
