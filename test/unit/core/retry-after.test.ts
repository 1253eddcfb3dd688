import { expect } from 'chai';

import { retryAfterMs } from '../../../core/retry-after.ts';

const DATE = 'Wed, 21 Oct 2015 07:28:00 GMT';

describe('retryAfterMs', () => {
  const cases: readonly (readonly [string, string | undefined, string | undefined, number | undefined])[] = [
    ['seconds', '7', undefined, 7_000],
    ['no time at all', '0', undefined, 0],
    ['a date, from the server’s own', 'Wed, 21 Oct 2015 07:28:09 GMT', DATE, 9_000],
    ['a date in the past', 'Wed, 21 Oct 2015 07:27:00 GMT', DATE, 0],
    ['a date of a server that does not tell its own', DATE, undefined, undefined],
    ['what is neither', 'soon', DATE, undefined],
    ['a number below 0', '-1', undefined, undefined],
    ['an empty header', '', undefined, undefined],
    ['nothing', undefined, DATE, undefined],
  ];
  for (const [what, value, date, ms] of cases) {
    it(`reads ${what}`, () => expect(retryAfterMs(value, date)).to.equal(ms));
  }
});
