import { expect } from 'chai';

import { readList } from '../../../core/list.ts';

describe('readList', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['', []],
    [' , ', []],
    ['a', ['a']],
    [' a b ,\tc,,d, ', ['a b', 'c', 'd']],
  ];
  for (const [text, items] of cases) {
    it(`reads ${JSON.stringify(text)}`, () => expect(readList(text)).to.deep.equal(items));
  }
});
