import { expect } from 'chai';

import { BEHIND_MS, DOUBT_MS, Freshness, STALE_MS } from '../../../../operator/policies/freshness.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('whether policies are fresh', () => {
  let clock: ManualClock;
  let seen: number | undefined;
  let own: string | undefined;
  let others: string | undefined;
  let freshness: Freshness;

  beforeEach(() => {
    clock = new ManualClock();
    seen = clock.elapsed();
    own = '100';
    others = undefined;
    freshness = new Freshness({ clock, lastSeen: () => seen, inForce: () => own, published: () => others });
  });

  /** Time passes, and the API server confirms what this replica has. */
  async function pass(ms: number): Promise<void> {
    await clock.advance(ms);
    seen = clock.elapsed();
  }

  it('they are not before they are loaded', () => {
    own = undefined;
    expect(freshness.problem).to.match(/not all of them are loaded/);
  });

  it('they are as long as the API server confirms them, and no longer', async () => {
    await clock.advance(STALE_MS);
    expect(freshness.problem).to.equal(undefined);
    await clock.advance(1);
    expect(freshness.problem).to.match(/not confirmed them for 15 s/);
    seen = clock.elapsed();
    expect(freshness.problem).to.equal(undefined);
  });

  it('a clock that is set changes nothing', () => {
    clock.set(3_600_000);
    expect(freshness.problem).to.equal(undefined);
  });

  it('they are not if another replica has had newer ones for ten seconds', async () => {
    others = '101';
    freshness.look();
    await pass(BEHIND_MS);
    expect(freshness.problem).to.equal(undefined);
    await pass(1);
    expect(freshness.problem).to.match(/another replica/);
    own = '101';
    expect(freshness.problem).to.equal(undefined);
  });

  it('are doubted after two seconds: a review is sent again, and readiness stays', async () => {
    others = '101';
    freshness.look();
    await pass(DOUBT_MS);
    expect(freshness.doubt).to.equal(undefined);
    await pass(1);
    expect([freshness.doubt, freshness.problem]).to.deep.equal([
      'they are out of date: another replica has had newer ones for 2 s',
      undefined,
    ]);
    own = '101';
    expect(freshness.doubt).to.equal(undefined);
  });

  it('they are if it follows, however far ahead the other one always is', async () => {
    for (let version = 101; version < 140; version += 1) {
      others = String(version);
      freshness.look();
      await pass(1_000);
      own = String(version - 1);
      expect(freshness.problem).to.equal(undefined);
    }
  });

  it('they are after the API server was restored from a backup, once the others have noticed it too', async () => {
    others = '100';
    freshness.look();
    own = '50';
    freshness.look();
    await pass(BEHIND_MS + 1);
    expect(freshness.problem).to.match(/another replica/);
    others = '50';
    expect(freshness.problem).to.equal(undefined);
  });

  it('they are not although the only replica that has newer ones is gone', async () => {
    others = '101';
    freshness.look();
    others = undefined;
    freshness.look();
    await pass(BEHIND_MS + 1);
    expect(freshness.problem).to.match(/another replica/);
  });

  it('they are if this one knows more than the others, or nobody else publishes', async () => {
    others = '99';
    freshness.look();
    await pass(60_000);
    expect(freshness.problem).to.equal(undefined);
    others = '';
    await pass(60_000);
    expect(freshness.problem).to.equal(undefined);
  });
});
