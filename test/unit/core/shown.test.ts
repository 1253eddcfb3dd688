import { expect } from 'chai';
import { readFileSync } from 'node:fs';

import { listed, shortened, shownBytes, shownText } from '../../../core/shown.ts';

interface Case {
  readonly name: string;
  readonly text: string;
  /** In bytes of UTF-8. */
  readonly most?: number;
  readonly shown: string;
}

const MEGABYTE = 1_000_000;

describe('shown text', () => {
  const table = new URL('../../../vault-env/testdata/texts.json', import.meta.url);
  const cases = JSON.parse(readFileSync(table, 'utf8')) as readonly Case[];

  it('is held to a table that vault-env is held to as well', () => expect(cases.length).to.be.above(30));

  for (const { name, text, most: limit, shown } of cases) {
    const most = limit ?? 4_096;
    it(`of ${name}`, () => {
      expect(shownBytes(text, most)).to.equal(shown);
      expect(shownBytes(shown, most), 'again').to.equal(shown);
      if (limit === undefined) expect(shownText(text, most)).to.equal(shown);
    });
  }

  it('has no lone surrogates, whole or cut', () => {
    expect(shownText('a\ud83db\udd11', 10)).to.equal('a\ufffdb\ufffd');
    expect(shownText('abc\u{1f511}d', 5)).to.equal('abc…');
    expect(shownText('abc\u{1f511}de', 6)).to.equal('abc\u{1f511}…');
    expect(shownText('abc\ud83d\ud83dd', 5)).to.equal('abc\ufffd…');
  });

  it('of a megabyte is cut before it is looked at', () => {
    const text = '\u001b\u{1f511}'.repeat(MEGABYTE);
    expect(shownText(text, 5)).to.equal('\ufffd\u{1f511}\ufffd…');
    expect(shownBytes('x'.repeat(MEGABYTE), 1_024)).to.equal(`${'x'.repeat(1_021)}…`);
  });

  it('is the same string where there is nothing to hide', () => {
    for (const text of ['', 'container app has no command', 'ü']) expect(shownText(text, 100)).to.equal(text);
  });
});

describe('shortened', () => {
  it('keeps a hundred characters of a path, each of them visible', () => {
    expect(shortened('secret/data/shop/db')).to.equal('secret/data/shop/db');
    expect(shortened('p'.repeat(101))).to.equal('p'.repeat(101));
    expect(shortened('p'.repeat(102))).to.equal(`${'p'.repeat(100)}…`);
    expect(shortened('a\u202eb')).to.equal('a\ufffdb');
  });
});

describe('listed', () => {
  it('counts what it does not show', () => {
    expect(listed(['a', 'b', 'c'])).to.equal('a, b, c');
    expect(listed(['a', 'b', 'c', 'd', 'e'])).to.equal('a, b, c and 2 more');
  });
});
