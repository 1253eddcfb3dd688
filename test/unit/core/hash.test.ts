import { expect } from 'chai';

import { shortHash } from '../../../core/hash.ts';

describe('shortHash', () => {
  it('is the beginning of SHA-256, of the bytes of UTF-8', () => {
    // printf %s é | sha256sum
    expect(shortHash('é')).to.equal('4a99557e4033');
    expect(shortHash('')).to.equal('e3b0c44298fc');
  });
});
