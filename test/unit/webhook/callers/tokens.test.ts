import { expect } from 'chai';

import { readTokens, Tokens } from '../../../../webhook/callers/tokens.ts';

const [ONE, TWO] = ['1'.repeat(64), 'a-._~+/Z'.repeat(8) + '=='];

describe('the tokens of API servers', () => {
  it('are one in each line of a file, with comments and blanks', () => {
    expect(readTokens(`# since May\n${ONE}\r\n\n  ${TWO}  \n`)).to.deep.equal({ tokens: [ONE, TWO] });
    expect(readTokens(ONE)).to.deep.equal({ tokens: [ONE] });
  });

  const faults: readonly [string, string, RegExp][] = [
    ['nothing', '', /^it contains no token; write one token in each line/],
    ['comments alone', '# later\n\n', /contains no token/],
    ['a short one', `${ONE}\nsecret-password`, /^line 2 is shorter than 27 characters; .*openssl rand -hex 32/],
    ['two in a line', `${ONE} ${TWO}`, /^line 1 has characters that no bearer token may have/],
    ['a very long one', 'x'.repeat(9_000), /^line 1 is longer than 8192 characters/],
  ];
  for (const [what, text, says] of faults)
    it(`are not read from a file with ${what}, and the fault shows nothing of it`, () => {
      const { fault = '' } = readTokens(text) as { fault?: string };
      expect(fault).to.match(says);
      for (const word of text.split(/\s+/).filter((one) => one.length > 3)) expect(fault).to.not.contain(word);
    });

  const tokens = new Tokens([ONE, TWO]);
  for (const header of [`Bearer ${ONE}`, `Bearer ${TWO}`, `bearer  ${TWO} `])
    it(`are found in ${header.slice(0, 10)}…`, () => expect(tokens.has(header)).to.equal(true));

  const strange: readonly (string | undefined)[] = [
    ...[undefined, '', 'Bearer', 'Bearer ', ONE, `Basic ${ONE}`, `Bearer ${ONE}x`, `Bearer ${ONE.slice(1)}`],
    ...[`Bearer ${ONE} ${TWO}`, `Bearer ${'x'.repeat(10_000)}`, `Bearer x, Bearer ${ONE}`],
  ];
  for (const header of strange)
    it(`are not found in ${header?.slice(0, 20) ?? 'no header'}`, () => expect(tokens.has(header)).to.equal(false));
});
