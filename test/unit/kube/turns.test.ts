import { expect } from 'chai';

import { Turns } from '../../../kube/turns.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('turns', () => {
  let clock: ManualClock;
  let turns: Turns;

  beforeEach(() => {
    clock = new ManualClock();
    turns = new Turns({ clock, burst: 2, everyMs: 100 });
  });

  it('come at once for a burst, then one after another, in the order of those who asked', async () => {
    expect(['a', 'b', 'c', 'd'].map((key) => turns.waitFor(key))).to.deep.equal([0, 0, 100, 200]);
    expect(turns.waitFor('d')).to.equal(200);
    await clock.advance(100);
    expect(['d', 'c', 'e'].map((key) => turns.waitFor(key))).to.deep.equal([100, 0, 200]);
  });

  it('of one key are used up one by one', () => {
    expect([1, 2, 3, 4].map(() => turns.waitFor('a'))).to.deep.equal([0, 0, 100, 100]);
  });

  it('come at once again after a rest, and do not pile up', async () => {
    ['a', 'b', 'c'].forEach((key) => turns.waitFor(key));
    await clock.advance(60_000);
    expect(['d', 'e', 'f'].map((key) => turns.waitFor(key))).to.deep.equal([0, 0, 100]);
  });

  it('follow no clock that somebody sets', async () => {
    ['a', 'b', 'c'].forEach((key) => turns.waitFor(key));
    clock.set(-3_600_000);
    await clock.advance(100);
    expect(turns.waitFor('c')).to.equal(0);
  });

  it('are forgotten', () => {
    ['a', 'b', 'c'].forEach((key) => turns.waitFor(key));
    turns.forget('c');
    expect(turns.waitFor('c')).to.equal(200);
  });
});
