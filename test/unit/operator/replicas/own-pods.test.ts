import { expect } from 'chai';

import { OwnPods } from '../../../../operator/replicas/own-pods.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('what a replica tells of pods that it reviewed', () => {
  let clock: ManualClock;
  let pods: OwnPods;
  beforeEach(() => {
    clock = new ManualClock(1_000_500);
    pods = new OwnPods(clock);
  });

  const told = (isReady = true): readonly string[] =>
    pods
      .list(isReady)
      .map(({ policy, injected, denied, failed, unchanged }) =>
        [policy, injected, denied, failed, unchanged].join(' '),
      );

  it('are sums that grow, with the times of the first and the last', async () => {
    pods.note('shop/a', 'u', 'injected');
    await clock.advance(2_000);
    for (const outcome of ['injected', 'denied', 'failed', 'unchanged'] as const) pods.note('shop/a', 'u', outcome);
    const sums = { injected: 2, denied: 1, failed: 1, unchanged: 1 };
    expect(pods.list(true)).to.deep.equal([{ policy: 'shop/a', uid: 'u', ...sums, first: 1_000, last: 1_002 }]);
  });

  it('are told at once, then the same for ten seconds, however many pods there are', async () => {
    pods.note('shop/a', 'u', 'injected');
    expect(told()).to.deep.equal(['shop/a 1 0 0 0']);
    for (let second = 1; second < 10; second++) {
      await clock.advance(1_000);
      for (let pod = 0; pod < 83; pod++) pods.note('shop/a', 'u', 'injected');
      expect(told(), `after ${second} s`).to.deep.equal(['shop/a 1 0 0 0']);
    }
    await clock.advance(1_000);
    expect(told()).to.deep.equal([`shop/a ${1 + 9 * 83} 0 0 0`]);
  });

  it('are the newest while the replica may be ending', () => {
    for (const count of [1, 2, 3]) {
      pods.note('shop/a', 'u', 'injected');
      expect(told(false)).to.deep.equal([`shop/a ${count} 0 0 0`]);
    }
  });

  it('are told apart for a policy that took the place of another one', () => {
    pods.note('shop/a', 'u', 'injected');
    pods.note('shop/a', 'v', 'denied');
    expect(told()).to.have.members(['shop/a 1 0 0 0', 'shop/a 0 1 0 0']);
  });

  it('are bounded, and every policy has its turn', async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `${'tenant'.repeat(10)}/${'policy'.repeat(20)}${index}`);
    for (const name of names) pods.note(name, name, 'injected');
    const seen = new Set<string>();
    let turns = 0;
    while (seen.size < names.length && turns++ < 200) {
      const list = pods.list(true);
      expect(JSON.stringify(list.map((one) => Object.values<string | number>({ ...one }))).length).to.be.at.most(
        16_400,
      );
      for (const { policy } of list) seen.add(policy);
      await clock.advance(10_000);
    }
    expect(seen.size).to.equal(1_000);
    const before = told();
    await clock.advance(10_000);
    expect(told(), 'nothing is news').to.deep.equal(before);
  });
});
