import { expect } from 'chai';
import { readFileSync } from 'node:fs';

import { REASONS_FILE, reasonsPage } from '../../../build/generate/reasons.ts';

describe('the page of reasons', () => {
  it('is the one that the catalogue makes (make generate)', async () => {
    expect(readFileSync(REASONS_FILE, 'utf8')).to.equal(await reasonsPage());
  });
});
