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

  it('takes what is too much from the group that holds most, its least recently used first', () => {
    const map = new Lru<string>(12, (value) => value.length);
    map.set('b1', 'bbb', 'b');
    for (const key of ['a1', 'a2', 'a3']) map.set(key, 'aaa', 'a');
    map.get('a1');
    map.set('c1', 'ccc', 'c');
    const kept = (): string[] => ['a1', 'a2', 'a3', 'a4', 'b1', 'c1'].filter((key) => map.get(key) !== undefined);
    expect(kept()).to.deep.equal(['a1', 'a3', 'b1', 'c1']);
    map.set('a4', 'aaaaaa', 'a');
    expect(kept()).to.deep.equal(['a4', 'b1', 'c1']);
  });

  it('gives one group all of the room as long as nobody else needs it', () => {
    const map = new Lru<number>(1_000);
    for (let index = 0; index < 1_500; index += 1) map.set(`a${index}`, index, 'a');
    expect(map.size).to.equal(1_000);
    for (let index = 0; index < 100; index += 1) map.set(`b${index}`, index, 'b');
    expect([map.size, map.get('b0'), map.get('a599'), map.get('a600')]).to.deep.equal([1_000, 0, undefined, 600]);
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
