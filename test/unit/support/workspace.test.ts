import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, type ProcessIdentity } from '../../../build/tools/process-identity.ts';
import { openWorkspace } from '../../support/workspace.ts';

describe('workspace', () => {
  it('ends its processes, with their children, and removes its files', async () => {
    const workspace = await openWorkspace('test');
    const family = workspace.start('family', ['sh', '-c', 'sleep 1000 & echo $!; wait']);
    await until(() => family.logTail() !== '');
    const child = Number(family.logTail());
    await workspace.close();
    expect(existsSync(workspace.dir)).to.be.false;
    await until(() => !exists(child));
    await until(() => !family.running());
  });

  it('reports the output of a program that ended before it was ready', async () => {
    const workspace = await openWorkspace('test');
    const daemon = workspace.start('broken', ['sh', '-c', 'echo no such port; exit 3']);
    const failure = await workspace
      .waitFor(daemon, 'it served', () => Promise.resolve(false))
      .catch((error: unknown) => String(error));
    await workspace.close();
    expect(failure).to.contain('broken ended before it served').and.to.contain('no such port');
  });

  it('leaves nothing behind when the process that created it is killed', async () => {
    const support = new URL('../../support/workspace.ts', import.meta.url).href;
    const script = `
      import { openWorkspace } from ${JSON.stringify(support)};
      import { readFileSync } from 'node:fs';
      const workspace = await openWorkspace('test');
      workspace.start('sleeper', ['sleep', '1000']);
      console.log(JSON.stringify({ dir: workspace.dir, sleeper: JSON.parse(readFileSync(workspace.dir + '/run/sleeper.json')) }));
      process.kill(process.pid, 'SIGKILL');`;
    const { dir, sleeper } = JSON.parse(outputOf(script)) as { dir: string; sleeper: ProcessIdentity };
    await until(() => !isRunning(sleeper));
    await until(() => !existsSync(dir));
  });

  it('keeps a process that has reused the PID of one it knew', async () => {
    const workspace = await openWorkspace('test');
    const daemon = workspace.start('other', ['sleep', '1000']);
    const known = join(workspace.dir, 'run', 'other.json');
    const identity = JSON.parse(readFileSync(known, 'utf8')) as ProcessIdentity;
    workspace.write('run/other.json', JSON.stringify({ ...identity, started: 'long ago' }));
    await workspace.close();
    const spared = daemon.running();
    await daemon.stop();
    expect(spared).to.be.true;
  });
});

/** What a program in TypeScript prints before it is killed. */
function outputOf(script: string): string {
  try {
    return execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', script], { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for what other processes do; the test's own time limit is the only one. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}
