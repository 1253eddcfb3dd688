import { expect } from 'chai';

import { jittered } from '../../../kube/jitter.ts';

describe('jittered', () => {
  it('stays within a tenth, either way', () => {
    expect(jittered(60_000, () => 0)).to.equal(54_000);
    expect(jittered(60_000, () => 0.5)).to.equal(60_000);
    expect(jittered(60_000, () => 1)).to.be.closeTo(66_000, 1e-6);
  });
});
