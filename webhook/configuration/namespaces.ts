import type { Entry } from './configuration.ts';

/** The combined failure policy of each namespace's policies: any Fail makes it Fail. */
export type NamespacePolicies = ReadonlyMap<string, 'Ignore' | 'Fail'>;

interface Draining {
  /** When its last policy was deleted. */
  since: number;
  /** When to check again whether it still has injected workloads. */
  checkAt: number;
}

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
 * Which namespaces the API server should send here, and through which entry: those with policies, and those that are
 * draining. A namespace that lost its last policy drains for as long as it has injected workloads: if it were left out
 * at once, the next update of such a workload would not come here, and nothing would ever restore it.
 */
export class NamespaceLedger {
  readonly #excluded: ReadonlySet<string>;
  readonly #draining = new Map<string, Draining>();
  #policies: NamespacePolicies | undefined;

  constructor(excluded: readonly string[]) {
    this.#excluded = new Set(excluded);
  }

  /** Takes all policies; the map must not change afterwards. */
  setPolicies(policies: NamespacePolicies, now: number): void {
    for (const namespace of this.#policies?.keys() ?? []) {
      if (!policies.has(namespace)) this.#drain(namespace, now);
    }
    for (const namespace of [...this.#draining.keys()]) if (policies.has(namespace)) this.#draining.delete(namespace);
    this.#policies = policies;
  }

  /** Adds namespaces that may have injected workloads from before this process. */
  remember(namespaces: Iterable<string>, now: number): void {
    for (const namespace of namespaces) if (!this.#policies?.has(namespace)) this.#drain(namespace, now);
  }

  /** Notes that a workload was restored there, perhaps the last one. */
  noteRestored(namespace: string, now: number): void {
    const draining = this.#draining.get(namespace);
    if (draining === undefined) return;
    draining.checkAt = Math.min(draining.checkAt, Math.max(now + AFTER_RESTORE_MS, draining.since + SETTLE_MS));
  }

  /** Returns the namespaces to check now. */
  due(now: number): readonly string[] {
    return [...this.#draining].filter(([, { checkAt }]) => checkAt <= now).map(([namespace]) => namespace);
  }

  /** Returns when `due` will return something; undefined while nothing drains. */
  nextCheckAt(): number | undefined {
    const times = [...this.#draining.values()].map(({ checkAt }) => checkAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /**
   * Notes what a check has found at `seenAt` or later. Returns true if the namespace is dropped: what was found before
   * the last workload that was admitted under a policy is stored does not count.
   */
  checked(namespace: string, holdsInjected: boolean, seenAt: number, now = seenAt): boolean {
    const draining = this.#draining.get(namespace);
    if (draining === undefined) return false;
    if (!holdsInjected && seenAt >= draining.since + SETTLE_MS) return this.#draining.delete(namespace);
    draining.checkAt = now + (holdsInjected ? RECHECK_MS : UNCONFIRMED_MS);
    return false;
  }

  /**
   * Returns undefined until the policies are known. No namespace is in both entries, or the API server would call twice
   * for one workload: one with any Fail policy is only in the fail entry. A draining one is in the ignore entry: no
   * policy asks to reject its workloads any more.
   */
  assignment(): Record<Entry, readonly string[]> | undefined {
    if (this.#policies === undefined) return undefined;
    const ignore = [...this.#draining.keys()];
    const fail: string[] = [];
    for (const namespace of this.#policies.keys()) {
      const entry = this.entryOf(namespace);
      if (entry !== undefined) (entry === 'fail' ? fail : ignore).push(namespace);
    }
    return { ignore: ignore.sort(), fail: fail.sort() };
  }

  /** Returns the entry that a namespace's policies want; undefined if it has none. */
  entryOf(namespace: string): Entry | undefined {
    const policy = this.#excluded.has(namespace) ? undefined : this.#policies?.get(namespace);
    return policy && (policy === 'Fail' ? 'fail' : 'ignore');
  }

  #drain(namespace: string, now: number): void {
    if (this.#excluded.has(namespace) || this.#draining.has(namespace)) return;
    this.#draining.set(namespace, { since: now, checkAt: now + SETTLE_MS });
  }
}
