import { expect } from 'chai';

import { textLine } from '../../../kube/log-text.ts';

const lineOf = (fields: object): string => `${JSON.stringify(fields)}\n`;

describe('a line of the log for people', () => {
  for (const [fields, text] of [
    [{ level: 'info', time: 'T', msg: 'started' }, 'T INFO  started'],
    [{ level: 'error', time: 'T', namespace: 'shop', msg: 'denied' }, 'T ERROR denied namespace=shop'],
    [
      { level: 'warn', time: 'T', msg: 'm', ms: 0.25, dryRun: true, none: null },
      'T WARN  m ms=0.25 dryRun=true none=null',
    ],
    [{ level: 'info', time: 'T', msg: 'm', error: 'say "a b"', empty: '' }, 'T INFO  m error="say \\"a b\\"" empty=""'],
    [{ level: 'info', time: 'T', msg: 'm', names: ['app', 'b c'], none: [] }, 'T INFO  m names=[app,"b c"] none=[]'],
    [{ level: 'info', time: 'T', msg: 'm', settings: { drain: '0s' } }, 'T INFO  m settings={"drain":"0s"}'],
  ] as const) {
    it(`is ${text}`, () => expect(textLine(lineOf(fields))).to.equal(`${text}\n`));
  }

  it('lets no value, name or message look like another field', () => {
    const fields = { level: 'info', time: 'T', msg: 'm namespace=bank', name: 'web policy=other', 'a b=c': 1 };
    expect(textLine(lineOf(fields))).to.equal('T INFO  "m namespace=bank" name="web policy=other" "a b=c"=1\n');
  });

  it('is what was written if that was no JSON', () => expect(textLine('?\n')).to.equal('?\n'));
});
