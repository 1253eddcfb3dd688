import { expect } from 'chai';

import { compareText } from '../../../core/order.ts';

describe('compareText', () => {
  it('goes by code units, unlike any locale', () => {
    expect(['b', 'ä', 'B', 'a', ''].sort(compareText)).to.deep.equal(['', 'B', 'a', 'b', 'ä']);
    expect(compareText('a', 'a')).to.equal(0);
  });
});
