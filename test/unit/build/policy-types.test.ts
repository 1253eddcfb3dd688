import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { TYPES_FILE, policyTypes } from '../../../build/generate/policy-types.ts';

describe('policy.generated.ts', () => {
  it('is what the CRD says (else run node build/generate/policy-types.ts)', async () => {
    expect(readFileSync(new URL(`../../../${TYPES_FILE}`, import.meta.url), 'utf8')).to.equal(await policyTypes());
  });
});
