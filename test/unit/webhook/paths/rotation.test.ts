import { expect } from 'chai';

import { AcceptedPaths } from '../../../../webhook/paths/accepted.ts';
import { pathOf, UNGUARDED } from '../../../../webhook/paths/path.ts';
import {
  acceptedPaths,
  choosePath,
  planPath,
  takePathStep,
  TOKEN_LIFE_MS,
} from '../../../../webhook/paths/rotation.ts';
import type { PathPeers, PathSet, PathState } from '../../../../webhook/paths/rotation.ts';
import { Random } from '../../../support/random.ts';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const [ONE, TWO] = ['1'.repeat(40), '2'.repeat(40)];
const STEADY: PathSet = { current: ONE, previous: [], since: NOW };
const state = (changes: Partial<PathState>): PathState => ({
  found: STEADY,
  published: [ONE],
  isSettled: true,
  publishes: true,
  asked: undefined,
  isExposed: false,
  ...changes,
});
const ALONE: PathPeers = { known: true, areOlder: false, lacks: () => false };

describe('the rotation of tokens in paths', () => {
  const steps: readonly [string, Partial<PathState>, number, string][] = [
    ['nothing is due', {}, NOW, 'Rest'],
    ['there is none', { found: undefined }, NOW, 'Create'],
    ['it is a day old', {}, NOW + TOKEN_LIFE_MS, 'Rotate'],
    ['the clock was set back by more than a day', {}, NOW - TOKEN_LIFE_MS, 'Rotate'],
    ['somebody asks', { asked: 'now' }, NOW, 'Rotate'],
    ['somebody asked before', { asked: 'now', found: { ...STEADY, renewed: 'now' } }, NOW, 'Rest'],
    ['it was shown to somebody', { isExposed: true }, NOW, 'Rotate'],
    ['the configuration has another one', { published: [TWO] }, NOW, 'Adopt'],
    ['the configuration has none', { published: [UNGUARDED] }, NOW, 'Adopt'],
    ['API servers may send the one before', { found: { ...STEADY, previous: [TWO] }, isSettled: false }, NOW, 'Rest'],
    ['none sends the one before', { found: { ...STEADY, previous: [TWO] } }, NOW, 'Retire'],
    ['one entry of the configuration has another one', { published: [ONE, TWO], isSettled: false }, NOW, 'Adopt'],
    ['one is being replaced', { found: { ...STEADY, previous: [TWO] }, isSettled: false, asked: 'now' }, NOW, 'Rest'],
    ['somebody else publishes them', { publishes: false, isExposed: true }, NOW + TOKEN_LIFE_MS, 'Rest'],
    ['somebody else does and asks', { publishes: false, asked: 'now' }, NOW, 'Rotate'],
    [
      'somebody else does, asks, and still publishes the one before',
      { publishes: false, asked: 'now', published: [TWO], found: { ...STEADY, previous: [TWO] } },
      NOW,
      'Rotate',
    ],
    [
      'somebody else publishes one of their own for long enough',
      { publishes: false, published: [TWO], found: { ...STEADY, previous: [TWO, UNGUARDED] } },
      NOW,
      'Retire',
    ],
  ];
  for (const [when, changes, now, step] of steps)
    it(`takes the step ${step} when ${when}`, () => {
      expect(planPath(state(changes), now)).to.equal(step);
    });

  it('begins with what API servers of an earlier version send', () => {
    const { current, previous } = takePathStep('Create', state({ found: undefined, published: [] }), NOW);
    expect([current.length, previous]).to.deep.equal([40, [UNGUARDED]]);
  });

  it('keeps accepting what is published, whatever else is replaced', () => {
    const own = { ...STEADY, previous: [TWO] };
    const published = [TWO];
    expect(takePathStep('Rotate', state({ found: own, published, publishes: false }), NOW).previous).to.deep.equal([
      TWO,
      ONE,
    ]);
    const many = ['3', '4', '5', '6'].map((digit) => digit.repeat(40));
    const adopted = takePathStep('Adopt', state({ found: { ...STEADY, previous: many }, published: [ONE, TWO] }), NOW);
    expect(adopted.previous).to.deep.equal([TWO, ...many.slice(0, 3)]);
    expect(
      takePathStep('Retire', state({ found: { ...STEADY, previous: [TWO, ...many] }, published }), NOW).previous,
    ).to.deep.equal([TWO]);
  });

  it('publishes the current one only when every replica accepts it, and not before what is published is written down', () => {
    const set = { ...STEADY, previous: [TWO] };
    const lacking = { ...ALONE, lacks: () => true };
    expect(choosePath(set, TWO, lacking)).to.equal(TWO);
    expect(choosePath(set, TWO, ALONE)).to.equal(ONE);
    expect(choosePath(set, 'x', ALONE)).to.equal('x');
    expect(choosePath(set, undefined, ALONE)).to.equal(ONE);
    expect(choosePath(undefined, TWO, ALONE)).to.equal(undefined);
  });

  it('publishes nothing else where nobody can say what replicas accept', () => {
    const unknown = { ...ALONE, known: false };
    const set = { ...STEADY, previous: [UNGUARDED] };
    expect(choosePath(set, UNGUARDED, unknown)).to.equal(UNGUARDED);
    expect(choosePath(set, undefined, unknown)).to.equal(UNGUARDED);
    expect(acceptedPaths(set, [], unknown)).to.include(UNGUARDED);
  });

  it('publishes no token while there is a replica of an earlier version, as soon as all others accept that', () => {
    const older = { ...ALONE, areOlder: true };
    expect(choosePath(STEADY, ONE, { ...older, lacks: (token) => token === UNGUARDED })).to.equal(ONE);
    expect(choosePath(STEADY, ONE, { ...older, lacks: (token) => token === ONE })).to.equal(UNGUARDED);
    expect(acceptedPaths(STEADY, [ONE], older)).to.have.members([ONE, UNGUARDED]);
    expect(acceptedPaths(STEADY, [ONE], ALONE)).to.have.members([ONE]);
  });

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8])
    it(`never refuses what an API server sends, whatever crashes or is late (seed ${seed})`, () => {
      new Simulation(seed).run(600);
    });
});

interface Replica {
  /** The tokens that it accepts, and for how long. */
  readonly paths: AcceptedPaths;
  readonly id: number;
  /** A version without tokens, which answers at the path without one alone. */
  isOld: boolean;
  secret: PathSet | undefined;
  config: string | undefined;
  peers: ReadonlyMap<number, readonly string[] | undefined>;
}

const WAIT = 10;
const RESTORED_AT = 250;
/** One replica gets an earlier version, and later the new one again. */
const ROLLBACK = { from: 350, to: 450 };

/**
 * An upgrade of three replicas, rotations, a Secret that is restored, a rollback and another upgrade, before two API servers
 * that learn of changes late.
 */
class Simulation {
  readonly #dice: Random;
  #now = 0;
  #secret: PathSet | undefined;
  #config: string | undefined = UNGUARDED;
  #configSince = 0;
  readonly #seen: { config: string }[] = [{ config: UNGUARDED }, { config: UNGUARDED }];
  readonly #replicas: Replica[];
  /** What each replica tells; undefined: it knows no tokens. */
  readonly #told = new Map<number, readonly string[] | undefined>();
  #leads = 0;
  rotations = 0;
  withoutToken = 0;

  constructor(seed: number) {
    this.#dice = new Random(seed);
    this.#replicas = [0, 1, 2].map((id) => this.#fresh(id, true));
  }

  run(steps: number): void {
    let ask: string | undefined;
    for (let step = 0; step < steps; step++) {
      this.#now += 1;
      const replica = this.#replicas[this.#dice.upTo(2)];
      if (replica === undefined) throw new Error('unreachable: there are three');
      const dice = this.#dice.next();
      // one after another is upgraded; later they crash now and then
      if (step === ROLLBACK.from) this.#restart(this.#replicas[2], true);
      else if (step === RESTORED_AT) this.#restore();
      else if (dice < 0.05 && !(step > RESTORED_AT && step < RESTORED_AT + WAIT))
        this.#restart(replica, replica.isOld && step > ROLLBACK.from && step < ROLLBACK.to);
      else if (dice < 0.3) this.#learn(replica);
      else this.#lead(this.#leader(), ask);
      if (dice > 0.97) ask = String(step);
      for (const seen of this.#seen)
        if (this.#dice.next() < 0.3 || this.#now >= this.#configSince + WAIT) this.#follow(seen);
      this.#check(step);
    }
    expect(this.withoutToken, 'steps without a token after the rollback').to.be.greaterThan(10);
    expect(this.rotations, 'rotations').to.be.greaterThan(2);
    expect(this.#config).to.have.length(40);
  }

  #fresh(id: number, isOld: boolean): Replica {
    this.#told.set(id, isOld ? undefined : []);
    const paths = new AcceptedPaths({ elapsed: () => this.#now }, WAIT);
    const replica = { paths, id, isOld, secret: this.#secret, config: this.#config, peers: new Map(this.#told) };
    if (!isOld) this.#tell(replica);
    return replica;
  }

  /** A process that starts reads everything before it serves. */
  #restart(replica: Replica | undefined, isOld: boolean): void {
    if (replica === undefined) throw new Error('unreachable: there are three');
    const at = this.#replicas.indexOf(replica);
    this.#replicas[at] = this.#fresh(replica.id, isOld);
  }

  /** Somebody puts back what the Secret was at first. */
  #restore(): void {
    for (const replica of this.#replicas) replica.config = this.#config;
    this.#secret = { current: TWO, previous: [], since: NOW };
  }

  /** Another one is elected now and then, which then is not behind: who has no connection to the API server is not. */
  #leader(): Replica | undefined {
    const leader = this.#replicas[this.#leads];
    if (leader !== undefined && this.#dice.next() > 0.1) return leader;
    this.#leads = this.#dice.upTo(1);
    const elected = this.#replicas[this.#leads];
    if (elected === undefined || elected.isOld) return undefined;
    elected.config = this.#config;
    elected.peers = new Map(this.#told);
    elected.secret = this.#secret;
    this.#tell(elected);
    return elected;
  }

  #learn(replica: Replica): void {
    const what = this.#dice.next();
    if (what < 0.4) replica.secret = this.#secret;
    else if (what < 0.7) replica.config = this.#config;
    else replica.peers = new Map(this.#told);
    if (!replica.isOld) this.#tell(replica);
  }

  #peersOf(replica: Replica): PathPeers {
    const others = [...replica.peers].filter(([id]) => id !== replica.id).map(([, tokens]) => tokens);
    return {
      known: true,
      areOlder: others.some((tokens) => tokens === undefined),
      lacks: (token) => others.some((tokens = [UNGUARDED]) => !tokens.includes(token)),
    };
  }

  #accepts(replica: Replica): readonly string[] {
    if (replica.isOld) return [UNGUARDED];
    return acceptedPaths(replica.secret, replica.config === undefined ? [] : [replica.config], this.#peersOf(replica));
  }

  #tell(replica: Replica): void {
    const tokens = this.#accepts(replica);
    replica.paths.set(tokens);
    this.#told.set(replica.id, tokens);
  }

  #lead(leader: Replica | undefined, asked: string | undefined): void {
    if (leader === undefined || leader.isOld) return;
    const peers = this.#peersOf(leader);
    const found = this.#secret;
    const only = leader.config;
    const isSettled =
      only !== undefined &&
      this.#config === only &&
      this.#now >= this.#configSince + WAIT &&
      !peers.areOlder &&
      !peers.lacks(only);
    const published = only === undefined ? [] : [only];
    const state: PathState = { found, published, isSettled, publishes: true, asked, isExposed: false };
    const step = planPath(state, NOW);
    if (step === 'Rotate') this.rotations += 1;
    this.#secret = takePathStep(step, state, NOW);
    // it may crash between the two writes
    if (this.#dice.next() < 0.1) return;
    leader.secret = this.#secret;
    this.#tell(leader);
    if (this.#dice.next() < 0.1) return;
    const chosen = choosePath(leader.secret, leader.config, peers);
    if (chosen === undefined || chosen === this.#config) return;
    this.#config = chosen;
    this.#configSince = this.#now;
    leader.config = chosen;
    this.#tell(leader);
  }

  #follow(seen: { config: string }): void {
    seen.config = this.#config ?? seen.config;
  }

  #check(step: number): void {
    if (step > ROLLBACK.from && this.#config === UNGUARDED) this.withoutToken += 1;
    for (const { config } of this.#seen)
      for (const replica of this.#replicas)
        // one of a rollback serves when API servers have learned the path of its version
        if (!replica.isOld || step < ROLLBACK.from)
          expect(this.#answers(replica, config), `step ${step}, replica ${replica.id}`).to.equal(true);
  }

  #answers({ isOld, paths }: Replica, token: string): boolean {
    return isOld ? token === UNGUARDED : paths.entryOf(pathOf('fail', token)) === 'fail';
  }
}
