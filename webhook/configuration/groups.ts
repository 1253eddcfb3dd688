import { WORKLOAD_KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import { DEFAULTS } from '../../core/policy/policy.generated.ts';

/** How kinds and namespaces become entries of the webhook configuration. Pure. */

/** The kinds of workloads that are sent here, by namespace. */
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
  return blocksOf(kinds).flatMap((block) => {
    const groups = Map.groupBy(sent.keys(), (namespace) => block.map((kind) => isSent(sent, namespace, kind)).join(''));
    // by the same kinds, in whatever order namespaces come
    return [...groups.keys()]
      .sort()
      .reverse()
      .filter((key) => key.includes('1'))
      .map((key) => ({
        kinds: block.filter((_, at) => key[at] === '1'),
        namespaces: (groups.get(key) ?? []).sort(),
      }));
  });
}

function isSent(sent: Sent, namespace: string, kind: WorkloadKind): '0' | '1' {
  return sent.get(namespace)?.has(kind) === true ? '1' : '0';
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
  for (const [namespace, kinds] of b) both.set(namespace, new Set([...(a.get(namespace) ?? []), ...kinds]));
  return both;
}

/** Returns what is in the first and not in the second. */
export function exceptFor(a: Sent, b: Sent): Sent {
  return ofKinds(a, (kind, namespace) => b.get(namespace)?.has(kind) !== true);
}

/** Returns what is wanted of it. */
export function ofKinds(sent: Sent, isWanted: (kind: WorkloadKind, namespace: string) => boolean): Sent {
  const rest = [...sent].map(
    ([namespace, kinds]) => [namespace, new Set([...kinds].filter((kind) => isWanted(kind, namespace)))] as const,
  );
  return new Map(rest.filter(([, kinds]) => kinds.size > 0));
}
