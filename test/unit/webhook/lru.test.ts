import { expect } from 'chai';
import { Lru } from '../../../webhook/lru.ts';

describe('a bounded map', () => {
  it('evicts the least recently used entry', () => {
    const map = new Lru<number>(2);
    map.set('a', 1);
    map.set('b', 2);
    expect(map.get('a')).to.equal(1);
    map.set('c', 3);
    expect([map.get('a'), map.get('b'), map.get('c'), map.size]).to.deep.equal([1, undefined, 3, 2]);
  });

  it('counts weights, and accepts no value that is too heavy by itself', () => {
    const map = new Lru<string>(10, (value) => value.length);
    map.set('a', 'aaaa');
    map.set('b', 'bbbb');
    map.set('a', 'aaaaaa');
    expect([map.get('a'), map.get('b')]).to.deep.equal(['aaaaaa', 'bbbb']);
    map.set('c', 'c');
    expect([map.get('a'), map.get('b'), map.get('c')]).to.deep.equal([undefined, 'bbbb', 'c']);
    map.set('b', 'b'.repeat(11));
    expect([map.get('b'), map.get('c'), map.size]).to.deep.equal([undefined, 'c', 1]);
  });
});
