import { expect } from 'chai';
import { Lru } from '../../../webhook/lru.ts';
import { slots } from '../../../webhook/slots.ts';
import { settle } from '../../support/manual-clock.ts';

describe('a bounded map', () => {
  it('forgets what was used longest ago', () => {
    const map = new Lru<number>(2);
    map.set('a', 1);
    map.set('b', 2);
    expect(map.get('a')).to.equal(1);
    map.set('c', 3);
    expect([map.get('a'), map.get('b'), map.get('c'), map.size]).to.deep.equal([1, undefined, 3, 2]);
  });

  it('counts weights, and takes no value that alone is too heavy', () => {
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

describe('slots', () => {
  it('run so many tasks at once, the others in their order, and refuse who finds no room to wait', async () => {
    const run = slots({ active: 2, waiting: 1 }, () => new Error('full'));
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const task = (name: string): Promise<string> =>
      run(() => {
        begun.push(name);
        return new Promise((resolve) => ends.set(name, () => resolve(name)));
      });
    const all = ['a', 'b', 'c'].map(task);
    await settle();
    expect(begun).to.deep.equal(['a', 'b']);
    const refused = await task('d').catch((error: unknown) => (error as Error).message);
    expect(refused).to.equal('full');
    ends.get('b')?.();
    await settle();
    expect(begun).to.deep.equal(['a', 'b', 'c']);
    ends.get('a')?.();
    ends.get('c')?.();
    expect(await Promise.all(all)).to.deep.equal(['a', 'b', 'c']);
  });

  it('are free again after a task that failed', async () => {
    const run = slots({ active: 1, waiting: 0 }, () => new Error('full'));
    const failure = await run(() => Promise.reject(new Error('no'))).catch(
      (error: unknown) => (error as Error).message,
    );
    expect([failure, await run(() => Promise.resolve('yes'))]).to.deep.equal(['no', 'yes']);
  });
});
