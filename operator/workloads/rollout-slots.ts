import { partsOfKey } from '../../core/object.ts';

/**
 * The bound on how many workloads of the whole cluster are rolled, restarted or adopted at once, beside the bound of
 * each policy. Policies that wait for a slot take turns: each takes one and goes to the end of the line. It counts what
 * the plans of the policies count, so nothing is lost by a restart; until all policies have been counted, nothing begins.
 */
export class RolloutSlots {
  readonly #most: number;
  /** By policy (`namespace/name`): how many of its workloads are rolling. */
  readonly #rolling = new Map<string, number>();
  /** Policies that wait for a slot, in the order of their turns. */
  readonly #waiting = new Set<string>();
  #total = 0;
  /** A fifth is left for other namespaces, as those that roll do not give back what they have. */
  readonly #mostOfNamespace: number;

  /** @param most at least 1 */
  constructor(most: number) {
    this.#most = most;
    this.#mostOfNamespace = most - Math.floor(most / 5);
  }

  get rolling(): number {
    return this.#total;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Returns how many of a policy's workloads may be rolling, with those that already are. */
  slotsFor(policyKey: string): number {
    const own = this.#rolling.get(policyKey) ?? 0;
    const left = Math.max(
      0,
      Math.min(this.#most - this.#total, this.#mostOfNamespace - this.#ofNamespace(policyKey)) + own,
    );
    const others = this.#waiting.size - (this.#waiting.has(policyKey) ? 1 : 0);
    if (others === 0) return left;
    return Math.max(0, Math.min(left - this.#before(policyKey), own + 1));
  }

  /** Notes a policy's new plan. Returns the policies whose turn it now is, which should be planned again. */
  note(policyKey: string, rolling: number, isWaiting: boolean): readonly string[] {
    const before = this.#rolling.get(policyKey) ?? 0;
    this.#total += rolling - before;
    if (rolling === 0) this.#rolling.delete(policyKey);
    else this.#rolling.set(policyKey, rolling);
    // who has had a turn goes to the end of the line
    if (!isWaiting || rolling > before) this.#waiting.delete(policyKey);
    if (isWaiting) this.#waiting.add(policyKey);
    return this.#next();
  }

  /** Forgets a policy that is gone. Returns the policies whose turn it now is. */
  forget(policyKey: string): readonly string[] {
    return this.note(policyKey, 0, false);
  }

  #next(): readonly string[] {
    const free = this.#most - this.#total;
    return free > 0 ? [...this.#waiting].slice(0, free) : [];
  }

  #ofNamespace(policyKey: string): number {
    const { namespace } = partsOfKey(policyKey);
    let count = 0;
    for (const [key, rolling] of this.#rolling) if (partsOfKey(key).namespace === namespace) count += rolling;
    return count;
  }

  /** Returns how many wait whose turn comes earlier. */
  #before(policyKey: string): number {
    let count = 0;
    for (const other of this.#waiting) {
      if (other === policyKey) return count;
      count += 1;
    }
    return count;
  }
}
