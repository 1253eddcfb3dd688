import type { Rule } from '../../core/policy/rule.ts';
import { settleMs } from '../../core/policy/start-time.ts';
import type { Use } from '../../core/workload/restarts.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Judged } from './inventory.ts';

interface Seen {
  /** The workload and the policy, by uid: what another one has shown counts for nothing. */
  readonly of: string;
  readonly generation: number | undefined;
  /** Since when pods of this generation have been available without a break, by elapsed(); undefined: they are not. */
  readonly since: number | undefined;
  /** What pods have started with. */
  readonly paths: ReadonlySet<string>;
}

/**
 * What injected workloads read, and with which of these paths their pods have started. vault-env starts no program without
 * its secrets, so pods that stay available have shown that their own role may read the paths, and what the operator then
 * finds out about them is no news to those who run them. A path that a later template adds counts when pods of that one
 * have been available as long. Without any pod, or after a start of the operator, everything has to be shown again.
 */
export class WorkloadUses {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #seen = new Map<string, Seen>();

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock;
  }

  /**
   * Returns the uses of a policy's workloads for rotation, and when to look again although nothing has changed, in
   * milliseconds.
   *
   * @param judged all workloads of its namespace
   */
  of(rule: Rule, judged: readonly Judged[]): { readonly uses: readonly Use[]; readonly againInMs: number } {
    const uses: Use[] = [];
    let againInMs = Infinity;
    for (const one of judged) {
      const { key, workload, standing } = one;
      if (standing.policy.name !== rule.policy.name) continue;
      const { state, reads, hiddenReads, isPartial } = standing;
      const isInjected = state === 'Injected' || state === 'Outdated';
      // pods of later read what is newest then
      const isRestarted = rule.rotation.strategy === 'Restart' && workload.traits.replacesPods;
      if (!isRestarted || !isInjected || reads.length === 0) {
        this.#seen.delete(key);
        continue;
      }
      const { seen, waitMs } = this.#look(one, settleMs(rule));
      this.#seen.set(key, seen);
      againInMs = Math.min(againInMs, waitMs);
      const startedWith = reads.filter((path) => seen.paths.has(path));
      const { annotations } = workload;
      const more = { ...(hiddenReads && { hiddenReads }), ...(isPartial && { isPartial }) };
      uses.push({ key, reads, ...more, startedWith, annotations });
    }
    return { uses, againInMs };
  }

  /** Forgets a workload that is gone. */
  forget(key: string): void {
    this.#seen.delete(key);
  }

  #look({ key, workload, standing }: Judged, longEnoughMs: number): { readonly seen: Seen; readonly waitMs: number } {
    const { rollout, metadata } = workload;
    const { generation } = metadata;
    const of = `${metadata.uid}/${standing.policy.uid}`;
    const last = this.#seen.get(key);
    const before = last?.of === of ? last : undefined;
    const now = this.#clock.elapsed();
    const paths = rollout.idle ? [] : standing.reads.filter((path) => before?.paths.has(path) === true);
    const known = new Set(paths);
    if (!rollout.started) return { seen: { of, generation, since: undefined, paths: known }, waitMs: Infinity };
    const since = before?.generation === generation ? (before?.since ?? now) : now;
    const waitMs = longEnoughMs - (now - since);
    if (waitMs > 0) return { seen: { of, generation, since, paths: known }, waitMs };
    return { seen: { of, generation, since, paths: new Set(standing.reads) }, waitMs: Infinity };
  }
}
