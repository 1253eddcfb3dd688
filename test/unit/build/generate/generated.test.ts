import { expect } from 'chai';

import { GENERATED, isStale } from '../../../../build/generate/index.ts';

describe('what is generated from a source', function () {
  // the page of the log type-checks the sources
  this.timeout(120_000);
  for (const generated of GENERATED)
    it(`is what the source says: ${generated.file} (else run node build/generate/index.ts)`, async () => {
      expect(await isStale(generated)).to.equal(false);
    });
});
