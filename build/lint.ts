/**
 * `make lint`: every check runs even if an earlier one fails, and each prints its name and how long it took.
 *
 * Results for a file are cached in node_modules/.cache, by the file's content. eslint rules that need types also read
 * other files, and are not run again when only those change: FRESH=1 clears the cache, and continuous integration
 * starts without it.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { goModules, VAULT_ENV } from './go-modules.ts';

const root = join(import.meta.dirname, '..');
const cache = join(root, 'node_modules/.cache/lint');
const STATICCHECK = 'honnef.co/go/tools/cmd/staticcheck@v0.8.2';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  readonly folder?: string;
  /** gofmt always exits with 0: its output is its finding. */
  readonly outputIsFailure?: boolean;
}

const cached = (name: string): readonly string[] => [
  '--cache',
  '--cache-strategy',
  'content',
  '--cache-location',
  join(cache, name),
];

// The longest first, so that what is left at the end is short.
const CHECKS: readonly Check[] = [
  { name: 'eslint', command: ['eslint', '--max-warnings', '0', ...cached('eslint'), '.'] },
  { name: 'tsc', command: ['tsc', '--noEmit', '--incremental', '--tsBuildInfoFile', join(cache, 'tsc.tsbuildinfo')] },
  { name: 'prettier', command: ['prettier', '--check', '--log-level', 'warn', ...cached('prettier'), '.'] },
  { name: 'rooms', command: ['node', 'build/rooms.ts'] },
  { name: 'time of day', command: ['node', 'build/time-of-day.ts'] },
  { name: 'gofmt', command: ['gofmt', '-l', '.'], folder: VAULT_ENV, outputIsFailure: true },
  ...goModules().flatMap((module) => [
    { name: `go vet ${module}`, command: ['go', 'vet', './...'], folder: join(root, module) },
    { name: `staticcheck ${module}`, command: ['go', 'run', STATICCHECK, './...'], folder: join(root, module) },
  ]),
];

// As many as continuous integration has processors.
const AT_ONCE = 2;

if (process.env.FRESH) rmSync(cache, { recursive: true, force: true });
mkdirSync(cache, { recursive: true });
const failed: string[] = [];
const waiting = CHECKS.values();
await Promise.all(Array.from({ length: AT_ONCE }, work));
if (failed.length > 0) console.log(`lint: ${failed.join(', ')} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function work(): Promise<void> {
  for (const check of waiting) if (!(await passes(check))) failed.push(check.name);
}

/** Prints a line, and below it the output of a failed check. */
async function passes({ name, command, folder, outputIsFailure }: Check): Promise<boolean> {
  const [program = '', ...args] = command;
  const started = Date.now();
  const { status, stdout, stderr } = await run(program, args, folder ?? root);
  const bad = status !== 0 || (outputIsFailure === true && stdout.trim() !== '');
  console.log(`== ${name}: ${bad ? 'FAILED' : 'ok'} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (bad) console.log(`${stdout}${stderr}`);
  return !bad;
}

interface Ended {
  /** Undefined if it could not be started, or was killed. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', (error) => resolve({ status: undefined, stdout, stderr: `${error.message}\n` }));
    child.once('close', (code) => resolve({ status: code ?? undefined, stdout, stderr }));
  });
}
