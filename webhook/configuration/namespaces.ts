import { KINDS } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import type { KindPolicies } from '../../core/policy/governing.ts';
import type { Entry } from './configuration.ts';
import type { Sent } from './groups.ts';

/**
 * What policies ask for, by namespace and kind: each kind that some policy of the namespace names, with the combined
 * failure policy of those that do (any Fail makes it Fail).
 */
export type NamespacePolicies = ReadonlyMap<string, KindPolicies>;

/** The workloads of one kind in one namespace. */
export interface Place {
  readonly namespace: string;
  readonly kind: WorkloadKind;
}

/** What the policies of a namespace ask for. */
interface Asked {
  readonly entries: ReadonlyMap<WorkloadKind, Entry>;
  readonly sets: Readonly<Record<Entry, ReadonlySet<WorkloadKind>>>;
}

interface Draining {
  readonly place: Place;
  /** Since when no policy names it any more. */
  since: number;
  /** When to check again whether it still has injected workloads. */
  checkAt: number;
}

const NO_ENTRIES: ReadonlyMap<WorkloadKind, Entry> = new Map();

/**
 * A workload that was admitted under the policy is stored by then: only other webhooks come after this one, and take up
 * to 30 s (the maximum of timeoutSeconds).
 */
export const SETTLE_MS = 30_000;
export const RECHECK_MS = 60_000;
// How soon something is checked again that was found too early to count. A copy is confirmed by each event, and by the
// end of each watch, every minute or two.
const UNCONFIRMED_MS = 5_000;
// The usual time from an admission that restored a workload until that workload is stored.
const AFTER_RESTORE_MS = 2_000;

/**
 * What the API server should send here, and through which entry: of each namespace the kinds that policies name, and
 * those that are draining. A kind drains after its last policy for as long as injected workloads of it are stored: if it
 * were left out at once, the next update of such a workload would not come here, and nothing would ever restore it. One
 * that nobody watches cannot be counted, and is left out at once.
 */
export class NamespaceLedger {
  readonly #excluded: ReadonlySet<string>;
  readonly #kinds: Kinds;
  /** By namespace and kind. */
  readonly #draining = new Map<string, Map<WorkloadKind, Draining>>();
  #policies: NamespacePolicies | undefined;
  /** What assignment() returns, until something changes. */
  #assigned: Record<Entry, Sent> | undefined;
  /** Worked out once for what does not change: there are thousands of namespaces, and most stay as they are. */
  readonly #asked = new WeakMap<KindPolicies, Asked>();
  /** By their kinds. No more than there are combinations of kinds. */
  readonly #sets = new Map<string, ReadonlySet<WorkloadKind>>();

  /** @param kinds those that the operator knows: no other is ever sent */
  constructor(excluded: readonly string[], kinds: Kinds = KINDS) {
    this.#excluded = new Set(excluded);
    this.#kinds = kinds;
  }

  /** Takes all policies; the map must not change afterwards. */
  setPolicies(policies: NamespacePolicies, now: number): void {
    for (const [namespace, kinds] of this.#policies ?? []) {
      if (policies.get(namespace) === kinds) continue;
      for (const kind of kinds.keys()) {
        if (policies.get(namespace)?.has(kind) !== true) this.#drain({ namespace, kind }, now);
      }
    }
    for (const { place } of this.#allDraining()) {
      if (policies.get(place.namespace)?.has(place.kind) === true) this.#forget(place);
    }
    this.#policies = policies;
    this.#assigned = undefined;
  }

  /** Adds what may have injected workloads from before this process. */
  remember(sent: Sent, now: number): void {
    for (const [namespace, kinds] of sent) {
      for (const kind of kinds) {
        if (this.#policies?.get(namespace)?.has(kind) !== true) this.#drain({ namespace, kind }, now);
      }
    }
  }

  /** Notes that a workload was restored there, perhaps the last one. */
  noteRestored(namespace: string, now: number): void {
    for (const draining of this.#draining.get(namespace)?.values() ?? []) {
      draining.checkAt = Math.min(draining.checkAt, Math.max(now + AFTER_RESTORE_MS, draining.since + SETTLE_MS));
    }
  }

  /** Returns what to check now. */
  due(now: number): readonly Place[] {
    return this.#allDraining().flatMap(({ place, checkAt }) => (checkAt <= now ? [place] : []));
  }

  /** Returns when `due` will return something; undefined while nothing drains. */
  nextCheckAt(): number | undefined {
    return this.#allDraining().reduce<number | undefined>(
      (soonest, { checkAt }) => Math.min(soonest ?? Infinity, checkAt),
      undefined,
    );
  }

  /**
   * Notes what a check has found at `seenAt` or later. Returns true if it is dropped: what was found before the last
   * workload that was admitted under a policy is stored does not count.
   */
  checked(place: Place, holdsInjected: boolean, seenAt: number, now = seenAt): boolean {
    const draining = this.#draining.get(place.namespace)?.get(place.kind);
    if (draining === undefined) return false;
    if (!holdsInjected && seenAt >= draining.since + SETTLE_MS) {
      this.#forget(place);
      return true;
    }
    draining.checkAt = now + (holdsInjected ? RECHECK_MS : UNCONFIRMED_MS);
    return false;
  }

  /**
   * Returns undefined until the policies are known. No kind of a namespace is in entries of both sorts, or the API server
   * would call twice for one workload: one that any Fail policy names is in a failing entry alone. A draining one is in
   * an ignoring entry: no policy asks to reject its workloads any more.
   */
  assignment(): Record<Entry, Sent> | undefined {
    if (this.#policies === undefined) return undefined;
    return (this.#assigned ??= this.#assign(this.#policies));
  }

  #assign(policiesOf: NamespacePolicies): Record<Entry, Sent> {
    const ignore = new Map<string, ReadonlySet<WorkloadKind>>();
    const fail = new Map<string, ReadonlySet<WorkloadKind>>();
    for (const [namespace, policies] of policiesOf) {
      if (this.#excluded.has(namespace)) continue;
      const { sets } = this.#askedBy(policies);
      if (sets.ignore.size > 0) ignore.set(namespace, sets.ignore);
      if (sets.fail.size > 0) fail.set(namespace, sets.fail);
    }
    for (const [namespace, draining] of this.#draining)
      ignore.set(namespace, this.#setOf([...(ignore.get(namespace) ?? []), ...draining.keys()]));
    return { ignore, fail };
  }

  /** Returns which sort of entry a namespace's policies want for each kind that they name. */
  entriesOf(namespace: string): ReadonlyMap<WorkloadKind, Entry> {
    const policies = this.#excluded.has(namespace) ? undefined : this.#policies?.get(namespace);
    return policies === undefined ? NO_ENTRIES : this.#askedBy(policies).entries;
  }

  #askedBy(policies: KindPolicies): Asked {
    const known = this.#asked.get(policies);
    if (known !== undefined) return known;
    const entries = new Map<WorkloadKind, Entry>();
    for (const [kind, policy] of policies)
      if (Object.hasOwn(this.#kinds, kind)) entries.set(kind, policy === 'Fail' ? 'fail' : 'ignore');
    const of = (entry: Entry): ReadonlySet<WorkloadKind> =>
      this.#setOf([...entries].flatMap(([kind, its]) => (its === entry ? [kind] : [])));
    const asked = { entries, sets: { ignore: of('ignore'), fail: of('fail') } };
    this.#asked.set(policies, asked);
    return asked;
  }

  /** Returns the same set for the same kinds. */
  #setOf(kinds: readonly WorkloadKind[]): ReadonlySet<WorkloadKind> {
    const set = new Set([...kinds].sort());
    const key = [...set].join();
    const known = this.#sets.get(key) ?? set;
    this.#sets.set(key, known);
    return known;
  }

  #drain(place: Place, now: number): void {
    const { namespace, kind } = place;
    const row = Object.hasOwn(this.#kinds, kind) ? this.#kinds[kind] : undefined;
    if (this.#excluded.has(namespace) || row === undefined || row.watched === 'Never') return;
    const kinds = this.#draining.get(namespace) ?? new Map<WorkloadKind, Draining>();
    if (!kinds.has(kind)) kinds.set(kind, { place, since: now, checkAt: now + SETTLE_MS });
    this.#assigned = undefined;
    this.#draining.set(namespace, kinds);
  }

  #forget({ namespace, kind }: Place): void {
    const kinds = this.#draining.get(namespace);
    this.#assigned = undefined;
    if (kinds?.delete(kind) === true && kinds.size === 0) this.#draining.delete(namespace);
  }

  #allDraining(): readonly Draining[] {
    return [...this.#draining.values()].flatMap((kinds) => [...kinds.values()]);
  }
}
