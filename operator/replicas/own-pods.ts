import type { Clock } from '../../kube/clock.ts';
import type { PodOutcome, PublishedPods } from './state.ts';

// What is counted is told so often: more would be writes of the Lease that say little.
const TOLD_EVERY_MS = 10_000;
// Characters of the document that is told (state.ts): a hundred policies or so, and the others in turn.
const MOST_CHARACTERS = 16_384;
const MOST_POLICIES = 10_000;

interface Counted {
  pods: PublishedPods;
  /** The turn in which it was last told; -1: not yet. */
  told: number;
  isNews: boolean;
}

/**
 * What this replica's admission has decided on pods that are created, by policy, since the process began: sums that only
 * grow, so that telling one again, or not every time, changes nothing.
 */
export class OwnPods {
  readonly #clock: Pick<Clock, 'now' | 'elapsed'>;
  /** By the policy's uid; the one that was reviewed last comes last. */
  readonly #counted = new Map<string, Counted>();
  #told: readonly PublishedPods[] = [];
  #toldAt = -Infinity;
  #turn = 0;
  #hasNews = false;

  constructor(clock: Pick<Clock, 'now' | 'elapsed'>) {
    this.#clock = clock;
  }

  /** Counts a pod of this policy (`namespace/name`, and its uid). */
  note(policy: string, uid: string, outcome: PodOutcome): void {
    const last = Math.floor(this.#clock.now() / 1000);
    const known = this.#counted.get(uid);
    const before = known?.pods ?? { policy, uid, injected: 0, denied: 0, failed: 0, unchanged: 0, first: last, last };
    const pods = { ...before, [outcome]: before[outcome] + 1, last };
    this.#counted.delete(uid);
    this.#counted.set(uid, { pods, told: known?.told ?? -1, isNews: true });
    this.#hasNews = true;
    for (const [oldest] of this.#counted) {
      if (this.#counted.size <= MOST_POLICIES) break;
      this.#counted.delete(oldest);
    }
  }

  /**
   * Returns what to tell now: of the policies with news those first that were told longest ago. The same for ten seconds,
   * unless the replica is not ready, because it may end soon.
   */
  list(isReady: boolean): readonly PublishedPods[] {
    const now = this.#clock.elapsed();
    if (!this.#hasNews || (isReady && now - this.#toldAt < TOLD_EVERY_MS)) return this.#told;
    this.#toldAt = now;
    this.#turn += 1;
    const inOrder = [...this.#counted.values()].sort((a, b) => Number(b.isNews) - Number(a.isNews) || a.told - b.told);
    let characters = 0;
    const told: PublishedPods[] = [];
    for (const one of inOrder) {
      characters += JSON.stringify(Object.values(one.pods)).length + 1;
      if (characters > MOST_CHARACTERS) break;
      told.push(one.pods);
      one.told = this.#turn;
      one.isNews = false;
    }
    this.#hasNews = inOrder.slice(told.length).some(({ isNews }) => isNews);
    this.#told = told;
    return told;
  }
}
