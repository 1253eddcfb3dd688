import { expect } from 'chai';

import { leadingWhile } from '../../../../operator/composition/leadership.ts';

describe('a leader that may act', () => {
  it('leads while it is elected and may, and tells each change once', () => {
    const at = { elected: false, may: false };
    const tell: (() => void)[] = [];
    const elected = {
      get isLeader() {
        return at.elected;
      },
      onChange: (listener: (leading: boolean) => void) => void tell.push(() => listener(at.elected)),
    };
    const leader = leadingWhile(
      elected,
      () => at.may,
      (listener) => void tell.push(listener),
    );
    const told: boolean[] = [];
    leader.onChange((leading) => told.push(leading));
    const set = (change: Partial<typeof at>): void => {
      Object.assign(at, change);
      for (const listener of tell) listener();
    };
    set({ elected: true });
    expect([leader.isLeader, told]).to.deep.equal([false, []]);
    set({ may: true });
    expect([leader.isLeader, told]).to.deep.equal([true, [true]]);
    set({ may: false });
    set({ elected: false });
    set({ elected: true, may: true });
    expect(told).to.deep.equal([true, false, true]);
  });
});
