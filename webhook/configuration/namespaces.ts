import type { Entry } from './configuration.ts';

/** What the policies of a namespace say of the webhook being away, taken together: any Fail makes it Fail. */
export type NamespacePolicies = ReadonlyMap<string, 'Ignore' | 'Fail'>;

interface Draining {
  /** When its last policy went. */
  since: number;
  /** When to look again whether it still holds injected workloads. */
  checkAt: number;
}

/**
 * A workload that was admitted under the policy is stored by then: what comes after this webhook are at most other
 * webhooks, which may take up to 30 s (the most that timeoutSeconds can be).
 */
export const SETTLE_MS = 30_000;
export const RECHECK_MS = 60_000;
// From an admission that restored a workload until that workload is stored, as a rule.
const AFTER_RESTORE_MS = 2_000;

/**
 * Which namespaces the API server is to send here, and through which entry: those with policies, and those that are
 * draining. A namespace that lost its last policy drains for as long as it holds injected workloads: were it left out
 * at once, the next update of such a workload would not come here, and nothing would ever restore it.
 */
export class NamespaceLedger {
  readonly #excluded: ReadonlySet<string>;
  readonly #draining = new Map<string, Draining>();
  #policies: NamespacePolicies | undefined;

  constructor(excluded: readonly string[]) {
    this.#excluded = new Set(excluded);
  }

  setPolicies(policies: NamespacePolicies, now: number): void {
    for (const namespace of this.#policies?.keys() ?? []) {
      if (!policies.has(namespace)) this.#drain(namespace, now);
    }
    for (const namespace of policies.keys()) this.#draining.delete(namespace);
    this.#policies = new Map(policies);
  }

  /** Namespaces that may hold injected workloads, from before this process. */
  remember(namespaces: Iterable<string>, now: number): void {
    for (const namespace of namespaces) if (!this.#policies?.has(namespace)) this.#drain(namespace, now);
  }

  /** A workload was restored there, perhaps the last one. */
  noteRestored(namespace: string, now: number): void {
    const draining = this.#draining.get(namespace);
    if (draining === undefined) return;
    draining.checkAt = Math.min(draining.checkAt, Math.max(now + AFTER_RESTORE_MS, draining.since + SETTLE_MS));
  }

  /** The namespaces to look into now. */
  due(now: number): readonly string[] {
    return [...this.#draining].filter(([, { checkAt }]) => checkAt <= now).map(([namespace]) => namespace);
  }

  /** When `due` will give something; undefined while nothing drains. */
  nextCheckAt(): number | undefined {
    const times = [...this.#draining.values()].map(({ checkAt }) => checkAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** The result of a look that began at `startedAt`. True if the namespace is dropped by it. */
  checked(namespace: string, holdsInjected: boolean, startedAt: number): boolean {
    const draining = this.#draining.get(namespace);
    if (draining === undefined) return false;
    if (!holdsInjected && startedAt >= draining.since + SETTLE_MS) return this.#draining.delete(namespace);
    draining.checkAt = startedAt + RECHECK_MS;
    return false;
  }

  /**
   * Undefined until the policies are known. No namespace is in both entries, or the API server would call twice for one
   * workload: one with any policy that says Fail is in the fail entry alone. A draining one is in the ignore entry:
   * nobody asked for its workloads to be refused any more.
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

  /** Through which entry a namespace's policies want its workloads sent; undefined where it has none. */
  entryOf(namespace: string): Entry | undefined {
    const policy = this.#excluded.has(namespace) ? undefined : this.#policies?.get(namespace);
    return policy && (policy === 'Fail' ? 'fail' : 'ignore');
  }

  #drain(namespace: string, now: number): void {
    if (this.#excluded.has(namespace) || this.#draining.has(namespace)) return;
    this.#draining.set(namespace, { since: now, checkAt: now + SETTLE_MS });
  }
}
