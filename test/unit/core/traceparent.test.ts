import { expect } from 'chai';

import { readTraceparent, writeTraceparent } from '../../../core/traceparent.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('the header traceparent', () => {
  it('says the trace, the span and whether it is recorded', () => {
    expect(readTraceparent(`00-${TRACE}-${SPAN}-01`)).to.deep.equal({ traceId: TRACE, spanId: SPAN, isSampled: true });
    expect(readTraceparent(`00-${TRACE}-${SPAN}-00`)?.isSampled).to.equal(false);
    // other flags are of later versions
    expect(readTraceparent(`00-${TRACE}-${SPAN}-fe`)?.isSampled).to.equal(false);
    expect(readTraceparent(`cc-${TRACE}-${SPAN}-01-what-the-future-is-like`)?.spanId).to.equal(SPAN);
  });

  const malformed: readonly (readonly [string, string | readonly string[] | undefined])[] = [
    ['none', undefined],
    ['empty', ''],
    ['two headers', [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`]],
    ['two in one', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
    ['version 0 that goes on', `00-${TRACE}-${SPAN}-01-more`],
    ['a version that is not allowed', `ff-${TRACE}-${SPAN}-01`],
    ['no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a megabyte', `cc-${TRACE}-${SPAN}-01-${'x'.repeat(2 ** 20)}`],
  ];
  for (const [what, header] of malformed) {
    it(`counts as missing: ${what}`, () => {
      expect(readTraceparent(header)).to.equal(undefined);
    });
  }

  it('is written as it is read', () => {
    for (const isSampled of [true, false]) {
      const parent = { traceId: TRACE, spanId: SPAN, isSampled };
      expect(readTraceparent(writeTraceparent(parent))).to.deep.equal(parent);
    }
  });
});
