import { expect } from 'chai';

import { keyOf, partsOfKey } from '../../../core/object.ts';

describe('the key of an object', () => {
  const cases: readonly (readonly [string, { readonly namespace?: string; readonly name: string }])[] = [
    ['shop/web', { namespace: 'shop', name: 'web' }],
    ['web', { namespace: '', name: 'web' }],
  ];
  for (const [key, object] of cases) {
    it(`is ${key} of ${JSON.stringify(object)}, and the other way round`, () => {
      expect(keyOf(object)).to.equal(key);
      expect(partsOfKey(key)).to.deep.equal(object);
    });
  }

  it('is the name where there is no namespace', () => expect(keyOf({ name: 'node-1' })).to.equal('node-1'));
});
