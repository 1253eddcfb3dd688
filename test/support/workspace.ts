/**
 * A directory of its own for a server under test, and the processes that run in it.
 * Whatever happens to the test (a failure, Ctrl-C, SIGKILL), processes, mounts and files go: a shell that does nothing
 * but wait holds the other end of a pipe, and sweeps when the pipe breaks. Should that be killed as well, the next
 * workspace sweeps what has no living owner.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { identify, isRunning } from '../../build/tools/process-identity.ts';
import { recordedOwner, sweep } from './sweep.ts';

// Short, because containerd's socket lies below it and a socket's path holds 108 bytes at most (unix(7)).
const PREFIX = 'vio-';
// The API server stops listening at once, then waits long for idle connections.
const TERM_DEADLINE_MS = 2_000;

export interface Daemon {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** True until the process has ended. */
  running(): boolean;
  /** Its exit status; null while it runs, and when a signal ended it. */
  exitCode(): number | null;
  /** SIGTERM (or `signal`), and SIGKILL to its whole process group when that did not end it in 2 s. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** The last lines that it printed. */
  logTail(lines?: number): string;
}

export interface Workspace {
  readonly dir: string;
  /** Starts a program that stays; its output goes to log/NAME.log. It sees `env` and PATH, and HOME is the workspace. */
  start(name: string, command: readonly string[], env?: Readonly<Record<string, string>>): Daemon;
  /** Resolves when `ready` says true; rejects with the tail of the log if `daemon` ends before or time runs out. */
  waitFor(daemon: Daemon, what: string, ready: () => Promise<boolean>, timeoutMs?: number): Promise<void>;
  /** Writes a file below the workspace, readable by its owner only, and returns its whole path. */
  write(path: string, content: string | Uint8Array): string;
  /** Kills everything, for nothing of it is needed any more, and removes the directory. Safe to repeat. */
  close(): Promise<void>;
}

/** Makes a workspace in the system's temporary directory. */
export async function openWorkspace(purpose: string): Promise<Workspace> {
  await sweepAbandoned();
  const dir = mkdtempSync(join(tmpdir(), `${PREFIX}${purpose}-`));
  writeFileSync(join(dir, 'owner.json'), JSON.stringify(identify(process.pid)));
  for (const sub of ['run', 'log']) mkdirSync(join(dir, sub));
  const watchdog = startWatchdog(dir);
  return {
    dir,
    start: (name, command, env = {}) => startDaemon(dir, name, command, env),
    waitFor,
    write: (path, content) => {
      const whole = join(dir, path);
      mkdirSync(join(whole, '..'), { recursive: true });
      writeFileSync(whole, content, { mode: 0o600 });
      return whole;
    },
    close: async () => {
      await sweep(dir);
      watchdog.stdin?.end('done\n');
    },
  };
}

async function sweepAbandoned(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const dir = join(tmpdir(), name);
    // What cannot be removed is not this test's fault.
    if (name.startsWith(PREFIX) && isAbandoned(dir)) await sweep(dir).catch(() => undefined);
  }
}

function isAbandoned(dir: string): boolean {
  try {
    const { uid, mtimeMs } = statSync(dir);
    if (uid !== process.getuid?.()) return false;
    const owner = recordedOwner(dir);
    // Without a record it may just be in the making.
    return owner === undefined ? Date.now() - mtimeMs > 60_000 : !isRunning(owner);
  } catch {
    return false; // somebody else was faster
  }
}

function startWatchdog(dir: string): ChildProcess {
  const script = 'read -r word; [ "$word" = done ] || exec "$0" "$1" "$2"';
  const sweeper = fileURLToPath(new URL('./sweep.ts', import.meta.url));
  const watchdog = spawn('sh', ['-c', script, process.execPath, sweeper, dir], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  watchdog.stdin.on('error', () => undefined);
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref(); // its end of the pipe must not keep the test's process up
  return watchdog;
}

function startDaemon(
  dir: string,
  name: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Daemon {
  const logFile = join(dir, 'log', `${name}.log`);
  const log = openSync(logFile, 'a');
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    detached: true, // a process group of its own: a Ctrl-C at the terminal must not end it before the test has
    stdio: ['ignore', log, log],
    cwd: dir,
    env: { PATH: process.env.PATH ?? '', HOME: dir, ...env },
  });
  closeSync(log);
  let failure = '';
  child.once('error', (error) => (failure = `${error.message}\n`));
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const running = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  // undefined: it has ended already, so there is nobody to sweep
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity !== undefined) writeFileSync(join(dir, 'run', `${name}.json`), JSON.stringify(identity));
  child.unref();
  return {
    name,
    pid: child.pid ?? -1,
    logFile,
    running,
    exitCode: () => child.exitCode,
    logTail: (lines = 20) => failure + readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n'),
    stop: async (signal = 'SIGTERM') => {
      if (!running()) return;
      child.ref();
      child.kill(signal);
      const stopped = await Promise.race([ended.then(() => true), sleep(TERM_DEADLINE_MS, false, { ref: false })]);
      if (!stopped && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await ended;
    },
  };
}

async function waitFor(daemon: Daemon, what: string, ready: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ready())) {
    if (!daemon.running()) throw new Error(`${daemon.name} ended before ${what}. It said:\n${daemon.logTail()}`);
    if (Date.now() > deadline) {
      throw new Error(
        `${daemon.name}: waited ${timeoutMs / 1000} s in vain for ${what}. It said:\n${daemon.logTail()}`,
      );
    }
    await sleep(50);
  }
}
