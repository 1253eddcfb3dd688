import { expect } from 'chai';

import { FairQueue } from '../../../kube/fair-queue.ts';

describe('FairQueue', () => {
  const filled = (items: string, most = 100): FairQueue<string> => {
    const queue = new FairQueue<string>(most);
    for (const item of items.split(' ')) queue.add(item.charAt(0), item);
    return queue;
  };
  const drained = (queue: FairQueue<string>): string => {
    const items: string[] = [];
    for (let next = queue.take(); next !== undefined; next = queue.take()) items.push(next.item);
    return items.join(' ');
  };

  it('lets groups take turns, each in its own order', () => {
    expect(drained(filled('a1 a2 a3 a4 b1 c1 b2'))).to.equal('a1 b1 c1 a2 b2 a3 a4');
  });

  it('gives a group that comes later its turn after those that wait', () => {
    const queue = filled('a1 a2 a3');
    expect(queue.take()?.item).to.equal('a1');
    queue.add('b', 'b1');
    expect(drained(queue)).to.equal('a2 b1 a3');
  });

  it('passes over a group that may have none now', () => {
    const queue = filled('a1 a2 b1');
    expect(queue.take((group) => group !== 'a')).to.deep.equal({ group: 'b', item: 'b1' });
    expect(queue.take((group) => group !== 'a')).to.equal(undefined);
    expect(queue.size).to.equal(2);
  });

  it('drops the newest of the group with most items to make room for another group', () => {
    const queue = filled('a1 a2 a3 b1', 4);
    expect(queue.add('c', 'c1')).to.equal('a3');
    expect(queue.size).to.equal(4);
    expect(drained(queue)).to.equal('a1 b1 c1 a2');
  });

  it('has no room for more of the group with most items', () => {
    const queue = filled('a1 a2 b1', 3);
    expect(queue.add('a', 'a3')).to.equal('a3');
    expect(queue.add('b', 'b2')).to.equal('b2'); // it would have as many as any other
    expect(drained(queue)).to.equal('a1 b1 a2');
  });

  it('has no room for anything if nothing may wait', () => {
    expect(new FairQueue<string>(0).add('a', 'a1')).to.equal('a1');
  });

  it('can be emptied', () => {
    const queue = filled('a1 b1');
    queue.clear();
    expect([queue.size, queue.take()]).to.deep.equal([0, undefined]);
  });
});
