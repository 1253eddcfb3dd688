import { expect } from 'chai';

import { equal, parseJson } from '../../../core/json.ts';

describe('equal', () => {
  const same: readonly (readonly [string, unknown, unknown])[] = [
    ['texts', 'a', 'a'],
    ['nothing and nothing', null, null],
    ['objects in another order of keys', { a: 1, b: { c: [1, 2] } }, { b: { c: [1, 2] }, a: 1 }],
    ['empty objects', {}, {}],
    ['a number that is none, and another such', { createdAt: NaN }, { createdAt: NaN }],
    ['0 and -0, which JSON can both write', 0, -0],
    ['keys that every object inherits', JSON.parse('{"__proto__": 1}'), JSON.parse('{"__proto__": 1}')],
  ];
  for (const [what, a, b] of same) {
    it(`treats ${what} as the same`, () => {
      expect(equal(a, b)).to.equal(true);
      expect(equal(b, a)).to.equal(true);
    });
  }

  const other: readonly (readonly [string, unknown, unknown])[] = [
    ['numbers and their texts', 1, '1'],
    ['lists in another order', [1, 2], [2, 1]],
    ['lists of another length', [1], [1, 2]],
    ['lists and objects', [], {}],
    ['null and an object', null, {}],
    ['null and undefined', null, undefined],
    ['objects with another key', { a: 1 }, { b: 1 }],
    ['a key that is undefined and another such', { a: undefined }, { b: undefined }],
    ['a key that is undefined and none', { a: undefined }, {}],
    ['a key that is inherited and one of its own', { a: 1 }, { toString: 1 }],
    ['what differs deep inside', { a: [{ b: 1 }] }, { a: [{ b: 2 }] }],
    ['an object and its __proto__ as a key', JSON.parse('{"__proto__": {}}'), {}],
  ];
  for (const [what, a, b] of other) {
    it(`tells ${what} apart`, () => {
      expect(equal(a, b)).to.equal(false);
      expect(equal(b, a)).to.equal(false);
    });
  }
});

describe('parseJson', () => {
  it('reads any value', () => {
    expect(['{"a":[1]}', 'null', '""'].map(parseJson)).to.deep.equal([{ a: [1] }, null, '']);
  });

  it('returns undefined for what is not JSON', () => {
    expect(['', '{', 'undefined'].map(parseJson)).to.deep.equal([undefined, undefined, undefined]);
  });
});
