import { expect } from 'chai';

import { fromBase64, toBase64 } from '../../../core/base64.ts';

describe('base64', () => {
  it('is of the bytes of UTF-8, with padding', () => {
    expect(toBase64('é')).to.equal('w6k=');
    expect(fromBase64('w6k=')).to.equal('é');
  });

  it('never throws for what is none', () => {
    expect(fromBase64('w6 k=\n')).to.equal('é');
    expect(fromBase64('/w==')).to.equal('\ufffd');
  });
});
