import { expect } from 'chai';

import type { FaultReason } from '../../../core/policy/faults.ts';
import type { ReasonCode } from '../../../core/reasons.ts';
import { REASONS } from '../../../core/reasons.ts';
import type { Denial, Outcome } from '../../../core/injection/outcome.ts';

describe('the catalogue of reasons', () => {
  it('has what the compiler and admission return as reasons (checked by the TypeScript compiler)', () => {
    const known = (code: ReasonCode): boolean => code in REASONS;
    const asReason = (code: FaultReason | Outcome | Denial['reason']): ReasonCode => code;
    expect(known(asReason('AddressInvalid'))).to.equal(true);
  });

  for (const [code, { meaning, action, usedBy }] of Object.entries(REASONS)) {
    it(`explains ${code}`, () => {
      expect(code).to.match(/^[A-Z][A-Za-z]+$/);
      expect(meaning).to.match(/^([A-Z]|spec\.).*\.$/);
      expect(action).to.match(/^$|^[A-Z].*\.$/);
      expect(usedBy).to.have.length.at.least(1);
    });
  }
});
