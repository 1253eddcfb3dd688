import { expect } from 'chai';

import { compareVersions } from '../../../core/resource-version.ts';

describe('compareVersions', () => {
  const cases: readonly (readonly [string | undefined, string | undefined, number | undefined])[] = [
    ['9', '10', -1],
    ['10', '9', 1],
    ['10', '10', 0],
    ['0010', '10', 0],
    ['9', '9007199254740993', -1],
    ['999999999999999', '1000000000000000', -1],
    ['9007199254740993', '9007199254740992', 1], // beyond what a double can tell apart
    ['', '1', undefined],
    ['1', undefined, undefined],
    ['abc', 'abd', undefined],
    ['-1', '1', undefined],
  ];
  for (const [a, b, order] of cases) {
    it(`of ${a ?? 'none'} and ${b ?? 'none'} is ${order ?? 'not known'}`, () => {
      const compared = compareVersions(a, b);
      expect(compared && Math.sign(compared)).to.equal(order);
    });
  }
});
