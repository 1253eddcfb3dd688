import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts';

export interface LockOptions {
  /** Called with the holder at once and then every 15 s while waiting. */
  readonly onWait: (holder: number) => void;
  /** Returns true if there is nothing left to do, because another holder has done it. */
  readonly needless?: () => boolean;
}

/**
 * Runs `work` under an exclusive lock, unless it turns out needless first. A killed process does not hold a lock. The
 * lock is a symbolic link whose target names its holder, so that it never exists without one.
 */
export async function withLock(path: string, options: LockOptions, work: () => Promise<void>): Promise<void> {
  const mine = encode(identify(process.pid) ?? { pid: process.pid, started: '' });
  mkdirSync(dirname(path), { recursive: true });
  for (let tries = 0; !acquired(path, mine); tries++) {
    if (options.needless?.() === true) return;
    const holder = holderOf(path);
    if (holder === undefined) continue; // released in between
    if (!isRunning(holder)) breakLock(path, holder);
    else {
      if (tries % 15 === 0) options.onWait(holder.pid);
      await sleep(1000);
    }
  }
  try {
    await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function acquired(path: string, holder: string): boolean {
  try {
    symlinkSync(holder, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function breakLock(path: string, dead: ProcessIdentity): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside); // of those that see a dead holder, only one succeeds
    // Between the check and the rename another process may have taken it over: give it back.
    if (readlinkSync(aside) !== encode(dead)) renameSync(aside, path);
    else rmSync(aside, { force: true });
  } catch {
    // another process was faster
  }
}

function holderOf(path: string): ProcessIdentity | undefined {
  try {
    const [pid = '', ...started] = readlinkSync(path).split(' ');
    return { pid: Number(pid), started: started.join(' ') };
  } catch {
    return undefined;
  }
}

function encode(identity: ProcessIdentity): string {
  return `${identity.pid} ${identity.started}`;
}
