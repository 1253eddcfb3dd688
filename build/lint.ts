/** `make lint`: every check runs although an earlier one fails, and each says its name. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const vaultEnv = join(root, 'vault-env');
const STATICCHECK = 'honnef.co/go/tools/cmd/staticcheck@v0.8.2';

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  readonly folder?: string;
  /** gofmt exits with 0 whatever it finds: its output is its finding. */
  readonly outputIsFailure?: boolean;
}

const CHECKS: readonly Check[] = [
  { name: 'tsc', command: ['tsc', '--noEmit'] },
  { name: 'eslint', command: ['eslint', '--max-warnings', '0', '.'] },
  { name: 'prettier', command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  { name: 'gofmt', command: ['gofmt', '-l', '.'], folder: vaultEnv, outputIsFailure: true },
  { name: 'go vet', command: ['go', 'vet', './...'], folder: vaultEnv },
  { name: 'staticcheck', command: ['go', 'run', STATICCHECK, './...'], folder: vaultEnv },
];

// As many as processors that continuous integration has.
const AT_ONCE = 2;

const failed: string[] = [];
const waiting = CHECKS.values();
await Promise.all(Array.from({ length: AT_ONCE }, work));
if (failed.length > 0) console.log(`lint: ${failed.join(', ')} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function work(): Promise<void> {
  for (const check of waiting) if (!(await passes(check))) failed.push(check.name);
}

/** Prints a line, and under it what a check that fails has printed. */
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
  /** Undefined where it could not be started, or was killed. */
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
