import { expect } from 'chai';
import { slots } from '../../../kube/slots.ts';
import type { SlotLimits } from '../../../kube/slots.ts';
import { settle } from '../../support/manual-clock.ts';

/** Tasks that end when the test says so; the first letter of a name is the group. */
function start(limits: SlotLimits): {
  readonly begun: string[];
  readonly task: (name: string) => Promise<string>;
  readonly end: (name: string) => Promise<void>;
} {
  const run = slots(limits, () => new Error('full'));
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    task: (name) =>
      run(name.charAt(0), () => {
        begun.push(name);
        return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
      }).catch((error: unknown) => `${name} ${(error as Error).message}`),
    end: async (name) => {
      ends.get(name)?.();
      await settle();
    },
  };
}

describe('slots', () => {
  it('run so many tasks at once, the others in order, and reject those without room to wait', async () => {
    const { begun, task, end } = start({ active: 2, activeOfGroup: 2, waiting: 1 });
    const all = ['a1', 'a2', 'a3'].map(task);
    await settle();
    expect(begun).to.deep.equal(['a1', 'a2']);
    expect(await task('a4')).to.equal('a4 full');
    await end('a2');
    expect(begun).to.deep.equal(['a1', 'a2', 'a3']);
    await end('a1');
    await end('a3');
    expect(await Promise.all(all)).to.deep.equal(['a1', 'a2', 'a3']);
  });

  it('keep some for others: one group has no more than its share, even if the rest is free', async () => {
    const { begun, task, end } = start({ active: 3, activeOfGroup: 2, waiting: 10 });
    const all = ['a1', 'a2', 'a3', 'b1', 'c1'].map(task);
    await settle();
    expect(begun).to.deep.equal(['a1', 'a2', 'b1']);
    await end('b1');
    expect(begun).to.deep.equal(['a1', 'a2', 'b1', 'c1']); // a3 came first, and a has its share
    await end('a1');
    expect(begun.at(-1)).to.equal('a3');
    for (const name of ['a2', 'a3', 'c1']) await end(name);
    expect(await Promise.all(all)).to.deep.equal(['a1', 'a2', 'a3', 'b1', 'c1']);
  });

  it('reject a task of the group that waits for most, not one of another group', async () => {
    const { begun, task, end } = start({ active: 1, activeOfGroup: 1, waiting: 3 });
    const all = ['a1', 'a2', 'a3', 'a4', 'b1'].map(task);
    await settle();
    expect(await all[3]).to.equal('a4 full');
    for (const name of ['a1', 'a2', 'b1', 'a3']) await end(name);
    expect(begun).to.deep.equal(['a1', 'a2', 'b1', 'a3']);
  });

  it('are free again after a task that failed', async () => {
    const run = slots({ active: 1, activeOfGroup: 1, waiting: 0 }, () => new Error('full'));
    const failure = await run('a', () => Promise.reject(new Error('no'))).catch(
      (error: unknown) => (error as Error).message,
    );
    expect([failure, await run('a', () => Promise.resolve('yes'))]).to.deep.equal(['no', 'yes']);
  });
});
