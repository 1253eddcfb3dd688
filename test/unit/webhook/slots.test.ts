import { expect } from 'chai';
import { slots } from '../../../webhook/slots.ts';
import { settle } from '../../support/manual-clock.ts';

describe('slots', () => {
  it('run so many tasks at once, the others in order, and reject those without room to wait', async () => {
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
