/**
 * Removes a workspace (workspace.ts) and all that hangs on it: processes, mounts, cgroups, files.
 * Runs inside the test's own process when it ends as it should, and as a program of its own
 * (`node sweep.ts DIR`) when the test's process died without a word.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from '../../build/tools/process-identity.ts';

const CGROUPS = '/sys/fs/cgroup';
/** Where a node's containerd (node-files.ts) keeps a directory for each of its containers. */
const CONTAINERS = 'containerd-state/io.containerd.runtime.v2.task/k8s.io';

/** Ends what `dir` records in run/, frees what is mounted below it, removes its cgroups and itself. Safe to repeat. */
export async function sweep(dir: string): Promise<void> {
  await killRecorded(dir);
  unmountBelow(dir);
  await removeCgroups(dir);
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
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
  // No failure counts: another sweeper may be faster, and what stays mounted keeps the directory, for the next to sweep.
  for (const point of points.reverse()) spawnSync('umount', ['-l', point], { stdio: 'ignore' });
}

/**
 * containerd gives each container a cgroup /k8s.io/ID in every hierarchy, and forgets to remove it only if it is killed;
 * the containers that it then had are still recorded in its state.
 */
async function removeCgroups(dir: string): Promise<void> {
  const containers = list(join(dir, CONTAINERS));
  if (containers.length === 0) return;
  // cgroup v1 has a directory for each controller, v2 has one tree; hybrid systems have both.
  for (const root of [CGROUPS, ...list(CGROUPS).map((controller) => join(CGROUPS, controller))]) {
    const parent = join(root, 'k8s.io');
    for (const container of containers) await removeCgroup(join(parent, container));
    if (existsSync(parent)) removeEmpty(parent); // not so while somebody else's containers are in it
  }
}

async function removeCgroup(path: string): Promise<void> {
  // The kernel takes a moment to see off the processes that it has killed.
  for (let tries = 0; existsSync(path) && !removeEmpty(path) && tries < 100; tries++) await sleep(20);
}

function removeEmpty(cgroup: string): boolean {
  try {
    rmdirSync(cgroup); // a cgroup's own files do not count
    return true;
  } catch {
    return false;
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

/** Returns who created the workspace, or undefined if it does not say. */
export function recordedOwner(dir: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, 'owner.json'), 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
