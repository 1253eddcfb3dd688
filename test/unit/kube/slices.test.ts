import { expect } from 'chai';

import { ownTurn, Slice, SLICE_MS, Slices } from '../../../kube/slices.ts';
import { settle } from '../../support/manual-clock.ts';

describe('Slices', () => {
  it('work each key once, however often it was added, and look at it when its turn comes', async () => {
    const worked: string[] = [];
    const slices = new Slices({ work: (key) => void worked.push(key), clock: { elapsed: () => 0 } });
    expect(slices.add('a')).to.equal(true);
    expect(slices.add('a'), 'it waits already').to.equal(false);
    slices.add('b');
    slices.remove('b');
    expect(worked, 'nothing is done on the spot').to.deep.equal([]);
    await settle();
    expect(worked).to.deep.equal(['a']);
    slices.add('a');
    await settle();
    expect(worked).to.deep.equal(['a', 'a']);
  });

  it('let others have their turn after a few milliseconds of work', async () => {
    let now = 0;
    const turns: number[] = [];
    const worked: number[] = [];
    const turn = async (): Promise<void> => {
      turns.push(worked.length);
      await Promise.resolve();
    };
    const slices = new Slices({
      work: (key) => ((now += 2), void worked.push(Number(key))),
      clock: { elapsed: () => now },
      turn,
    });
    for (let n = 0; n < 5; n++) slices.add(String(n));
    await settle();
    expect(worked).to.deep.equal([0, 1, 2, 3, 4]);
    expect(turns).to.deep.equal([0, 2, 4]);
  });

  it('say when nothing waits any more', async () => {
    const worked: string[] = [];
    const slices = new Slices({ work: (key) => void worked.push(key), clock: { elapsed: () => 0 } });
    await slices.whenIdle();
    slices.add('a');
    await slices.whenIdle();
    expect(worked).to.deep.equal(['a']);
    slices.add('b');
    const idle = slices.whenIdle();
    slices.remove('b');
    await idle;
    expect(worked).to.deep.equal(['a']);
  });

  it('accept what is added while they work', async () => {
    const worked: string[] = [];
    const slices: Slices = new Slices({
      work: (key) => {
        worked.push(key);
        if (key === 'a') slices.add('c');
      },
      clock: { elapsed: () => 0 },
    });
    slices.add('a');
    slices.add('b');
    await settle();
    expect(worked).to.deep.equal(['a', 'b', 'c']);
    expect(slices.depth).to.equal(0);
  });
});

describe('ownTurn', () => {
  it('gives each caller a turn of the event loop that no other caller gets', async () => {
    let [turn, isGoing] = [0, true];
    const count = (): void => {
      turn += 1;
      if (isGoing) setImmediate(count);
    };
    setImmediate(count);
    const turns = await Promise.all(['a', 'b', 'c'].map(() => ownTurn().then(() => turn)));
    isGoing = false;
    expect(new Set(turns).size, turns.join(' ')).to.equal(3);
  });
});

describe('Slice', () => {
  it('lasts some milliseconds, and a new one begins with the next turn', async () => {
    let now = 0;
    const slice = new Slice({ elapsed: () => now });
    expect(slice.isOver).to.equal(false);
    now = SLICE_MS;
    expect(slice.isOver).to.equal(true);
    await slice.next();
    expect(slice.isOver).to.equal(false);
  });
});
