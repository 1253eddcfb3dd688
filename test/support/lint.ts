/** `make lint`: every check runs although an earlier one fails, and each says its name. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
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

const failed = CHECKS.filter(({ name, command, folder, outputIsFailure }) => {
  const [program = '', ...args] = command;
  const started = Date.now();
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder ?? root, encoding: 'utf8' });
  const bad = status !== 0 || (outputIsFailure === true && stdout.trim() !== '');
  console.log(`== ${name}: ${bad ? 'FAILED' : 'ok'} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (bad) console.log(`${stdout}${stderr}`);
  return bad;
});
if (failed.length > 0) console.log(`lint: ${failed.map(({ name }) => name).join(', ')} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
