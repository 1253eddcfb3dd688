import { expect } from 'chai';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../../support/tool-lock.ts';

describe('lock of the tools', () => {
  let path: string;

  beforeEach(() => {
    path = join(mkdtempSync(join(tmpdir(), 'lock-test-')), 'build.lock');
  });

  afterEach(() => rmSync(join(path, '..'), { recursive: true }));

  it('lets one work at a time, and tells the other whom it waits for', async () => {
    const events: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      events.push(`${name} begins`);
      await sleep(20);
      events.push(`${name} ends`);
    };
    const waiting = (pid: number): void => void events.push(pid === process.pid ? 'waits for us' : 'waits for another');
    await Promise.all([withLock(path, waiting, work('a')), withLock(path, waiting, work('b'))]);
    expect(events.filter((event) => event !== 'waits for us')).to.deep.equal([
      'a begins',
      'a ends',
      'b begins',
      'b ends',
    ]);
    expect(events).to.include('waits for us');
  });

  it('is free again after a failure', async () => {
    const failing = withLock(path, ignore, () => Promise.reject(new Error('no compiler')));
    expect(await failing.catch((error: unknown) => String(error))).to.equal('Error: no compiler');
    expect(await withLock(path, ignore, () => Promise.resolve('done'))).to.equal('done');
  });

  it('is taken over from a process that was killed, also when its number is in use again', async () => {
    symlinkSync(`${process.pid} long ago`, path);
    expect(await withLock(path, ignore, () => Promise.resolve('done'))).to.equal('done');
  });
});

function ignore(): void {
  // whom we wait for does not matter here
}
