import { expect } from 'chai';

import type { KubernetesObject } from '../../../core/object.ts';
import { ObjectStore } from '../../../kube/object-store.ts';

function thing(resourceVersion: string, changes: object = {}): KubernetesObject {
  const metadata = { name: 'a', namespace: 'shop', uid: 'u-1', resourceVersion, generation: 1, ...changes };
  return { apiVersion: 'example.dev/v1', kind: 'Thing', metadata };
}

describe('the store of an informer', () => {
  const first = thing('1');
  let store: ObjectStore<KubernetesObject>;
  beforeEach(() => {
    store = new ObjectStore();
    store.put(first);
  });

  it('keeps the very object that it has when a list brings the same one again', () => {
    expect(store.put(thing('1'))).to.deep.equal([]);
    expect(store.get('shop/a')).to.equal(first);
    expect(store.list()[0]).to.equal(first);
  });

  for (const [what, next] of [
    ['another version', thing('2')],
    ['the same version with another generation, after a restored backup', thing('1', { generation: 2 })],
  ] as const)
    it(`takes ${what}`, () => {
      expect(store.put(next)).to.deep.equal([{ key: 'shop/a', object: next, previous: first }]);
      expect(store.get('shop/a')).to.equal(next);
    });

  it('takes another object of the same name for a deletion and a creation', () => {
    const next = thing('1', { uid: 'u-2' });
    expect(store.put(next)).to.deep.equal([
      { key: 'shop/a', object: undefined, previous: first },
      { key: 'shop/a', object: next, previous: undefined },
    ]);
  });
});
