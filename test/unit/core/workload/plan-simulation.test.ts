import { expect } from 'chai';

import type { Rule } from '../../../../core/policy/rule.ts';
import { plan } from '../../../../core/workload/plan.ts';
import type { Action, Tracked } from '../../../../core/workload/plan.ts';
import type { RestartWish } from '../../../../core/workload/restarts.ts';
import { annotation } from '../../../../core/injection/annotations.ts';
import { KINDS } from '../../../../core/kinds.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { Random } from '../../../support/random.ts';

/**
 * A cluster in which nothing but time happens, carried out action by action: admission injects whatever is written to a
 * workload, its pods follow after a while, and the operator forgets all that it knew whenever it is restarted.
 */
class Cluster {
  readonly #random: Random;
  readonly #workloads: Simulated[];
  #sent: { readonly action: Action; readonly at: number }[] = [];
  now = Date.parse('2026-01-01T00:00:00Z');
  mostMoving = 0;
  /** Whether API servers reach the webhook; without it, what is written is stored as it is. */
  hasWebhook = true;

  constructor(random: Random, size: number, broken: ReadonlySet<number> = new Set()) {
    this.#random = random;
    this.#workloads = Array.from({ length: size }, (_, index) => new Simulated(index, broken.has(index)));
  }

  get outdated(): number {
    return this.#workloads.filter(({ hash }) => hash !== RULE_HASH).length;
  }

  get moving(): number {
    return this.#workloads.filter(({ doneAt }) => doneAt > this.now).length;
  }

  get written(): number {
    return this.#workloads.reduce((sum, { writes }) => sum + writes, 0);
  }

  mend(index: number): void {
    const one = this.#workloads[index];
    if (one !== undefined) one.doneAt = this.now;
  }

  tracked(): readonly Tracked[] {
    return this.#workloads.map((one) =>
      one.tracked(
        this.now,
        this.#sent.some(({ action }) => action.key === one.key),
      ),
    );
  }

  /** Writes that are under way are written all the same when the operator ends; a new one does not know of them. */
  step(rule: Rule, restarts: readonly RestartWish[], isRestarted: boolean): ReturnType<typeof plan> {
    if (isRestarted) this.#arrive(Infinity);
    const planned = plan(rule, this.tracked(), restarts, this.now);
    for (const action of planned.actions) this.#sent.push({ action, at: this.now + this.#random.upTo(3_000) });
    this.now += 1_000 + this.#random.upTo(4_000);
    this.#arrive(this.now);
    this.mostMoving = Math.max(this.mostMoving, this.moving);
    return planned;
  }

  #arrive(until: number): void {
    const arrived = this.#sent.filter(({ at }) => at <= until);
    this.#sent = this.#sent.filter(({ at }) => at > until);
    for (const { action } of arrived) {
      const one = this.#workloads.find(({ key }) => key === action.key);
      one?.write(action, this.now, this.#random.upTo(90_000), this.hasWebhook);
    }
    this.mostMoving = Math.max(this.mostMoving, this.moving);
  }
}

const RULE_HASH = 'bbbbbbbbbbbb';
const OLD_HASH = 'aaaaaaaaaaaa';

class Simulated {
  readonly key: string;
  readonly #name: string;
  readonly #isBroken: boolean;
  hash = OLD_HASH;
  doneAt = 0;
  #begunAt = 0;
  writes = 0;
  annotations: Readonly<Record<string, string>> = {};
  #template: string | undefined;

  constructor(index: number, isBroken: boolean) {
    this.#name = `web-${String(index).padStart(2, '0')}`;
    this.key = `Deployment/shop/${this.#name}`;
    this.#isBroken = isBroken;
  }

  write({ annotations }: Action, now: number, takesMs: number, isAdmitted: boolean): void {
    const entries = Object.entries({ ...this.annotations, ...annotations });
    this.annotations = Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null));
    this.writes += 1;
    const restart = this.annotations[annotation.restart];
    if (!isAdmitted || (this.hash === RULE_HASH && restart === this.#template)) return;
    this.hash = RULE_HASH;
    this.#template = restart;
    this.#begunAt = now;
    this.doneAt = this.#isBroken ? Infinity : now + takesMs;
  }

  tracked(now: number, isPending: boolean): Tracked {
    const metadata = { name: this.#name, namespace: 'shop', uid: this.key };
    const restart = this.annotations[annotation.restart];
    const isRestartPending = restart !== this.#template;
    // as the controller of Deployments: it gives up after ten minutes
    const isLate = this.doneAt === Infinity && now - this.#begunAt > 600_000;
    const phase = isLate ? 'Failed' : this.doneAt > now ? 'Progressing' : 'Complete';
    return {
      key: this.key,
      workload: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        traits: KINDS.Deployment,
        metadata,
        text: '{}',
        annotations: this.annotations,
        rollout: { phase, ...flags, available: phase === 'Complete', progress: '1/1/1' },
        writers: [],
        writtenAt: 0,
      },
      standing: {
        state: this.hash === RULE_HASH && !isRestartPending ? 'Injected' : 'Outdated',
        policy: { name: 'shop-secrets', uid: 'uid-1', hash: RULE_HASH },
        yielding: [],
        reads: [],
        restartPending: isRestartPending,
      },
      pending: isPending,
      seenInjected: false,
      fruitless: 0,
    };
  }
}

const flags = { paused: false, onDelete: false, idle: false, started: false } as const;
const SIZE = 40;
// Each step is some seconds: an hour and a half, which every case below needs less of.
const STEPS = 2_000;
const automatic = (maxConcurrent: number): Rule =>
  ruleWith({ hash: RULE_HASH, rollout: { strategy: 'Automatic', maxConcurrent } });

/** What rotation wants: every other workload has read a secret that has a newer version. */
function restartsOf(cluster: Cluster): readonly RestartWish[] {
  return cluster
    .tracked()
    .filter((_, index) => index % 2 === 0)
    .filter(({ workload }) => workload.annotations[annotation.restart] !== 'cccccccccccc')
    .map(({ workload: { kind, metadata } }) => ({
      key: `${kind}/${metadata.namespace}/${metadata.name}`,
      versions: { 'secret/data/a': 2 },
      hash: 'cccccccccccc',
      baselineOnly: false,
    }));
}

function run(cluster: Cluster, rule: Rule, random: Random, wishes: () => readonly RestartWish[] = () => []): void {
  for (let step = 0; step < STEPS && (cluster.outdated > 0 || cluster.moving > 0 || wishes().length > 0); step++) {
    cluster.step(rule, wishes(), random.chance(0.1));
  }
}

describe('a rollout over 40 workloads, with an operator that is restarted now and then', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const maxConcurrent = 1 + (seed % 5);

    it(`comes to an end and never moves more than ${maxConcurrent} at once (case ${seed})`, () => {
      const random = new Random(seed);
      const cluster = new Cluster(random, SIZE);
      run(cluster, automatic(maxConcurrent), random);
      expect(cluster.outdated).to.equal(0);
      expect(cluster.mostMoving).to.be.within(1, maxConcurrent);
      expect(cluster.written, 'one write for each').to.equal(SIZE);
    });

    it(`shares that bound with restarts, even if the webhook was down for some of them (case ${seed})`, () => {
      const random = new Random(seed);
      const cluster = new Cluster(random, SIZE);
      const wishes = (): readonly RestartWish[] => restartsOf(cluster);
      cluster.hasWebhook = false;
      for (let step = 0; step < 100; step++) cluster.step(automatic(maxConcurrent), wishes(), random.chance(0.1));
      expect(cluster.mostMoving).to.equal(0);
      cluster.hasWebhook = true;
      run(cluster, automatic(maxConcurrent), random, wishes);
      expect(wishes()).to.deep.equal([]);
      expect(cluster.outdated).to.equal(0);
      expect(cluster.mostMoving).to.be.within(1, maxConcurrent);
    });

    it(`stops at one that does not become complete, says so, and goes on when it is (case ${seed})`, () => {
      const random = new Random(seed);
      const cluster = new Cluster(random, SIZE, new Set([7]));
      const rule = automatic(maxConcurrent);
      let said: readonly { readonly key: string; readonly reason: string }[] = [];
      for (let step = 0; step < STEPS && said.length === 0; step++) {
        said = cluster.step(rule, [], random.chance(0.1)).stalls;
      }
      expect(said.map(({ key, reason }) => `${key} ${reason}`)).to.deep.equal(['Deployment/shop/web-07 RolloutFailed']);
      const left = cluster.outdated;
      for (let step = 0; step < 100; step++) cluster.step(rule, [], random.chance(0.1));
      expect(cluster.outdated, 'none of them goes on').to.equal(left);
      cluster.mend(7);
      run(cluster, rule, random);
      expect(cluster.outdated).to.equal(0);
    });
  }

  const NOW = Date.parse('2026-01-01T01:00:00Z');
  const [fresh] = new Cluster(new Random(1), 1).tracked();
  if (fresh === undefined) throw new Error('unreachable: a cluster of one has one');
  const one = (name: string, state: 'Injected' | 'Outdated', changes: Partial<Tracked['workload']> = {}): Tracked => ({
    ...fresh,
    key: `Deployment/shop/${name}`,
    workload: { ...fresh.workload, metadata: { ...fresh.workload.metadata, name }, ...changes },
    standing: { ...fresh.standing, state },
  });
  const requestedAt = (time: string): Readonly<Record<string, string>> => ({
    [annotation.requested]: `Rollout/${OLD_HASH}/1/${time}`,
  });
  const progressing = { phase: 'Progressing', ...flags, available: false, progress: '0/0/0' } as const;
  const askedFor = (...tracked: readonly Tracked[]): readonly string[] =>
    plan(automatic(1), tracked, [], NOW).actions.map(({ key }) => key);

  it('goes on in the slot of pods that are still being replaced when the rule changes again', () => {
    const annotations = requestedAt('2026-01-01T00:59:00Z');
    const moving = one('b', 'Outdated', { annotations, rollout: progressing });
    expect(askedFor(one('a', 'Outdated'), moving)).to.deep.equal(['Deployment/shop/b']);
  });

  it('does not wait for an outdated one that has not become ready within ten minutes', () => {
    const annotations = requestedAt('2026-01-01T00:49:00Z');
    const stuck = one('b', 'Outdated', { annotations, rollout: progressing });
    expect(askedFor(one('a', 'Outdated'), stuck)).to.deep.equal(['Deployment/shop/a']);
  });

  it('is neither held up nor failed by what somebody else rolls out later', () => {
    const annotations = requestedAt('2026-01-01T00:00:00Z');
    const writers = [{ manager: 'kubectl', operation: 'Update', time: '2026-01-01T00:30:00Z', template: true }];
    const theirs = one('b', 'Injected', { annotations, writers, rollout: progressing });
    const { actions, stalls } = plan(automatic(1), [one('a', 'Outdated'), theirs], [], NOW);
    expect({ asked: actions.map(({ key }) => key), stalls }).to.deep.equal({
      asked: ['Deployment/shop/a'],
      stalls: [],
    });
  });
});
