import type { WorkloadKind } from '../../core/kinds.ts';

const NONE: ReadonlySet<WorkloadKind> = new Set();

/** Which kinds policies name, by namespace: one look tells whether any does, however many namespaces there are. */
export class TargetedKinds {
  readonly #of = new Map<string, ReadonlySet<WorkloadKind>>();
  readonly #counts = new Map<WorkloadKind, number>();

  /** Replaces what the policies of a namespace name. */
  set(namespace: string, kinds: ReadonlySet<WorkloadKind>): void {
    for (const kind of this.of(namespace)) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) - 1);
    for (const kind of kinds) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    if (kinds.size === 0) this.#of.delete(namespace);
    else this.#of.set(namespace, kinds);
  }

  /** Returns those that the policies of a namespace name. */
  of(namespace: string): ReadonlySet<WorkloadKind> {
    return this.#of.get(namespace) ?? NONE;
  }

  /** Whether the policies of any namespace name it. */
  has(kind: WorkloadKind): boolean {
    return (this.#counts.get(kind) ?? 0) > 0;
  }
}
