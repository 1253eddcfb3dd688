/**
 * The Go modules of vault-env: its own, and those below it whose dependencies it must not have. Also a program:
 *
 *     node build/go-modules.ts test ./...     runs `go test ./...` in each of them
 *     node build/go-modules.ts fuzz 60s       runs each fuzz target for a minute
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');

export const VAULT_ENV = join(root, 'vault-env');

/** What the linker is told for vault-env: no symbols, and to start at its own entry (vault-env/internal/entry). */
export const VAULT_ENV_LINKER = '-s -w -E vault_env_entry';

/** Returns paths from the root of the repository, vault-env first. */
export function goModules(): readonly string[] {
  return globSync('vault-env/**/go.mod', { cwd: root }).map(dirname).sort();
}

interface FuzzTarget {
  readonly folder: string;
  readonly name: string;
}

function fuzzTargets(module: string): readonly FuzzTarget[] {
  const others = goModules().filter((other) => other.startsWith(`${module}/`));
  return globSync(`${module}/**/*_test.go`, { cwd: root })
    .filter((file) => !others.some((other) => file.startsWith(`${other}/`)))
    .sort()
    .flatMap((file) =>
      Array.from(readFileSync(join(root, file), 'utf8').matchAll(/^func (Fuzz\w+)\(/gm), ([, name = '']) => ({
        folder: dirname(file),
        name,
      })),
    );
}

/** Returns whether go exited with 0. Prints a line with the time that it took. */
function go(folder: string, args: readonly string[]): boolean {
  const begun = Date.now();
  const { error, status } = spawnSync('go', args, { cwd: join(root, folder), stdio: 'inherit' });
  if (error) throw new Error(`go could not be run (${error.message}): install Go 1.26 or newer`);
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  console.log(`== ${folder}: go ${args.join(' ')}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds} s)`);
  return status === 0;
}

function fuzz(time: string): boolean {
  return goModules()
    .flatMap(fuzzTargets)
    .every(({ folder, name }) => go(folder, ['test', '.', '-run', '^$', '-fuzz', `^${name}$`, '-fuzztime', time]));
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const results = args[0] === 'fuzz' ? [fuzz(args[1] ?? '60s')] : goModules().map((module) => go(module, args));
  process.exitCode = results.every(Boolean) ? 0 : 1;
}
