import { expect } from 'chai';

import { RolloutSlots } from '../../../../operator/workloads/rollout-slots.ts';

describe('the slots of the whole cluster', () => {
  it('are all for the one policy that wants them', () => {
    const slots = new RolloutSlots(3);
    expect(slots.slotsFor('a')).to.equal(3);
    slots.note('a', 3, true);
    expect([slots.slotsFor('a'), slots.slotsFor('b'), slots.rolling]).to.deep.equal([3, 0, 3]);
  });

  it('go to those that wait, one at a time and in turns', () => {
    const slots = new RolloutSlots(2);
    slots.note('a', 2, true);
    slots.note('b', 0, true);
    slots.note('c', 0, true);
    expect(slots.note('a', 1, true), 'whose turn it is').to.deep.equal(['a']);
    expect([slots.slotsFor('b'), slots.slotsFor('c'), slots.slotsFor('a')]).to.deep.equal([0, 0, 2]);
    expect(slots.note('a', 2, true)).to.deep.equal([]);
    expect(slots.note('a', 1, true), 'it has had its turn').to.deep.equal(['b']);
    expect([slots.slotsFor('a'), slots.slotsFor('b'), slots.slotsFor('c')]).to.deep.equal([0, 1, 0]);
    slots.note('b', 1, false);
    expect(slots.note('a', 0, true)).to.deep.equal(['c']);
  });

  it('wake no more policies than there are free ones, and the next when one wants no more', () => {
    const slots = new RolloutSlots(1);
    slots.note('a', 1, false);
    slots.note('b', 0, true);
    slots.note('c', 0, true);
    expect(slots.forget('a')).to.deep.equal(['b']);
    expect(slots.note('b', 0, false)).to.deep.equal(['c']);
    expect(slots.waiting).to.equal(1);
  });

  it('leave a fifth for other namespaces', () => {
    const slots = new RolloutSlots(10);
    slots.note('evil/a', 5, false);
    expect([slots.slotsFor('evil/a'), slots.slotsFor('evil/b')]).to.deep.equal([8, 3]);
    slots.note('evil/b', 3, false);
    expect([slots.slotsFor('evil/a'), slots.slotsFor('evil/c'), slots.slotsFor('shop/a')]).to.deep.equal([5, 0, 2]);
  });
});
