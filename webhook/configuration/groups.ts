import { WORKLOAD_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import { compareText } from '../../core/order.ts';
import { DEFAULTS } from '../../core/policy/policy.generated.ts';

/** How kinds and namespaces become entries of the webhook configuration. Pure. */

/** The kinds of workloads that are sent here, by namespace. Namespaces share sets, which never change. */
export type Sent = ReadonlyMap<string, ReadonlySet<WorkloadKind>>;

export const NOTHING: Sent = new Map();

/** What one entry of the configuration is for. */
export interface Group {
  /** In the order of the table. */
  readonly kinds: readonly WorkloadKind[];
  /** Sorted. */
  readonly namespaces: readonly string[];
}

// With five kinds a block has at most 31 groups, and every namespace is in at most one of them.
const LARGEST_BLOCK = 5;

/**
 * Returns the namespaces by exactly which kinds are sent from there, the kinds in blocks: first those that a policy is
 * for by default, then the others. So the API server calls for what some policy names and for nothing else; a namespace
 * is listed once for each block, however many kinds the others name; and the number of entries has a bound, however many
 * combinations there are.
 */
export function groupsOf(sent: Sent, kinds: readonly WorkloadKind[] = WORKLOAD_KINDS): readonly Group[] {
  // thousands of namespaces share a few sets
  const bySet = Map.groupBy(sent, ([, set]) => set);
  return blocksOf(kinds).flatMap((block) => {
    const groups = new Map<string, string[]>();
    for (const [set, members] of bySet) {
      const key = block.map((kind) => (set.has(kind) ? '1' : '0')).join('');
      if (!key.includes('1')) continue;
      const namespaces = groups.get(key) ?? [];
      for (const [namespace] of members) namespaces.push(namespace);
      groups.set(key, namespaces);
    }
    // by the same kinds, in whatever order namespaces come
    return [...groups]
      .sort(([a], [b]) => compareText(b, a))
      .map(([key, namespaces]) => ({
        kinds: block.filter((_, at) => key[at] === '1'),
        namespaces: namespaces.sort(),
      }));
  });
}

function blocksOf(kinds: readonly WorkloadKind[]): readonly (readonly WorkloadKind[])[] {
  const first = kinds.filter(isDefault);
  const others = kinds.filter((kind) => !isDefault(kind));
  const chunks = Array.from({ length: Math.ceil(others.length / LARGEST_BLOCK) }, (_, at) =>
    others.slice(at * LARGEST_BLOCK, (at + 1) * LARGEST_BLOCK),
  );
  return [first, ...chunks];
}

/** Whether these are all kinds that a policy is for by default. */
export function areDefault(kinds: readonly WorkloadKind[]): boolean {
  return kinds.length === DEFAULTS.targets.length && kinds.every(isDefault);
}

function isDefault(kind: WorkloadKind): boolean {
  return (DEFAULTS.targets as readonly string[]).includes(kind);
}

/** Returns the namespaces, sorted. */
export function namespacesOf(sent: Sent): readonly string[] {
  return [...sent.keys()].sort();
}

/** Returns what is in any of the two. */
export function bothOf(a: Sent, b: Sent): Sent {
  const both = new Map(a);
  for (const [namespace, kinds] of b) {
    const known = a.get(namespace);
    both.set(namespace, known === undefined ? kinds : new Set([...known, ...kinds]));
  }
  return both;
}

/** Returns what is in the first and not in the second. */
export function exceptFor(a: Sent, b: Sent): Sent {
  return ofKinds(a, (kind, namespace) => b.get(namespace)?.has(kind) !== true);
}

/** Returns what is wanted of it. Sets of which all is wanted stay shared. */
export function ofKinds(sent: Sent, isWanted: (kind: WorkloadKind, namespace: string) => boolean): Sent {
  const rest = [...sent].map(([namespace, kinds]) => {
    const wanted = [...kinds].filter((kind) => isWanted(kind, namespace));
    return [namespace, wanted.length === kinds.size ? kinds : new Set(wanted)] as const;
  });
  return new Map(rest.filter(([, kinds]) => kinds.size > 0));
}
