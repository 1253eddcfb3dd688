import { expect } from 'chai';

import { Backoff, backoffDelay } from '../../../kube/backoff.ts';

const LIMITS = { initialMs: 500, maxMs: 30_000 };

describe('backoff', () => {
  it('doubles, and never exceeds its limit, even after thousands of failures', () => {
    const delays = [1, 2, 3, 6, 7, 8, 5000].map((failures) => backoffDelay(failures, LIMITS, () => 1));
    expect(delays).to.deep.equal([500, 1000, 2000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('spreads each step between its half and its whole', () => {
    expect(backoffDelay(3, LIMITS, () => 0)).to.equal(1000);
    expect(backoffDelay(3, LIMITS, () => 0.999)).to.be.within(1999, 2000);
  });

  it('starts over after a success', () => {
    const backoff = new Backoff(LIMITS, () => 1);
    expect([backoff.next(), backoff.next(), backoff.next()]).to.deep.equal([500, 1000, 2000]);
    backoff.reset();
    expect(backoff.failures).to.equal(0);
    expect(backoff.next()).to.equal(500);
  });
});
