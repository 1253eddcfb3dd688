import { expect } from 'chai';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../../../../build/tools/lock.ts';

describe('lock of the tools', () => {
  let path: string;

  beforeEach(() => {
    path = join(mkdtempSync(join(tmpdir(), 'lock-test-')), 'build.lock');
  });

  afterEach(() => rmSync(join(path, '..'), { recursive: true }));

  it('lets one work at a time, and tells the other which one it waits for', async () => {
    const events: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      events.push(`${name} begins`);
      await sleep(20);
      events.push(`${name} ends`);
    };
    const onWait = (pid: number): void => void events.push(pid === process.pid ? 'waits for us' : 'waits for another');
    await Promise.all([withLock(path, { onWait }, work('a')), withLock(path, { onWait }, work('b'))]);
    expect(events.filter((event) => event !== 'waits for us')).to.deep.equal([
      'a begins',
      'a ends',
      'b begins',
      'b ends',
    ]);
    expect(events).to.include('waits for us');
  });

  it('is not waited for when its holder has done the work for both', async () => {
    let done = false;
    const build = async (): Promise<void> => {
      await sleep(20);
      done = true;
      await sleep(2000);
    };
    const holder = withLock(path, { onWait: ignore }, build);
    const other = { onWait: ignore, needless: () => done };
    await withLock(path, other, () => Promise.reject(new Error('did it again')));
    await holder;
  });

  it('is free again after a failure', async () => {
    const failing = withLock(path, { onWait: ignore }, () => Promise.reject(new Error('no compiler')));
    expect(await failing.catch((error: unknown) => String(error))).to.equal('Error: no compiler');
    expect(await takes()).to.be.true;
  });

  it('is taken over from a process that was killed, even if its PID is in use again', async () => {
    symlinkSync(`${process.pid} long ago`, path);
    expect(await takes()).to.be.true;
  });

  async function takes(): Promise<boolean> {
    let taken = false;
    await withLock(path, { onWait: ignore }, () => {
      taken = true;
      return Promise.resolve();
    });
    return taken;
  }
});

function ignore(): void {
  // whom we wait for does not matter here
}
