/**
 * Removes a workspace (workspace.ts) and all that hangs on it: processes, mounts, cgroups, files.
 * Runs inside the test's own process when it ends as it should, and as a program of its own
 * (`node sweep.ts DIR`) when the test's process died without a word.
 */
import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from './process-identity.ts';

const CGROUPS = '/sys/fs/cgroup';

/** Ends what `dir` records in run/, frees what is mounted below it, removes its cgroups and itself. Safe to repeat. */
export async function sweep(dir: string): Promise<void> {
  await killRecorded(dir);
  unmountBelow(dir);
  await removeCgroups(cgroupsOf(dir));
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** The name under which a workspace keeps its cgroups, if it makes any, at the top of every hierarchy. */
export function cgroupNameOf(dir: string): string {
  return dir.split('/').filter(Boolean).join('-');
}

async function killRecorded(dir: string): Promise<void> {
  for (const recorded of recordedProcesses(dir)) {
    if (!isRunning(recorded)) continue;
    try {
      process.kill(-recorded.pid, 'SIGKILL');
    } catch {
      // gone in between
    }
    for (let i = 0; i < 200 && isRunning(recorded); i++) await sleep(25);
  }
}

function recordedProcesses(dir: string): ProcessIdentity[] {
  return list(join(dir, 'run')).flatMap((file) => {
    try {
      return [JSON.parse(readFileSync(join(dir, 'run', file), 'utf8')) as ProcessIdentity];
    } catch {
      return [];
    }
  });
}

function unmountBelow(dir: string): void {
  if (process.platform !== 'linux') return;
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((point) => point.startsWith(`${dir}/`));
  for (const point of points.reverse()) execFileSync('umount', ['-l', point], { stdio: 'ignore' });
}

function cgroupsOf(dir: string): string[] {
  const name = cgroupNameOf(dir);
  // cgroup v1 has a directory for each controller, v2 has one tree; hybrid systems have both.
  return [CGROUPS, ...list(CGROUPS).map((controller) => join(CGROUPS, controller))]
    .map((root) => join(root, name))
    .filter((path) => list(path).length > 0);
}

async function removeCgroups(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    for (let i = 0; i < 100 && !removedTree(path); i++) await sleep(50);
  }
}

function removedTree(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removedTree(join(path, entry.name));
    }
    rmdirSync(path);
    return true;
  } catch {
    return list(path).length === 0;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

const [dir] = process.argv.slice(2);
if (import.meta.main && dir !== undefined) {
  const owner = recordedOwner(dir);
  if (owner === undefined || identify(owner.pid)?.started !== owner.started) await sweep(dir);
}

/** Who made the workspace, or undefined where it does not say. */
export function recordedOwner(dir: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, 'owner.json'), 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
