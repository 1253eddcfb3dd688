import { expect } from 'chai';

import { fromBase64, toBase64 } from '../../../core/base64.ts';

describe('base64', () => {
  it('encodes UTF-8 bytes, with padding', () => {
    expect(toBase64('é')).to.equal('w6k=');
    expect(fromBase64('w6k=')).to.equal('é');
  });

  it('never throws for what is not base64', () => {
    expect(fromBase64('w6 k=\n')).to.equal('é');
    expect(fromBase64('/w==')).to.equal('\ufffd');
  });
});
