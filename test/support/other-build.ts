/** Another commit of this repository, built beside it, to compare with or to upgrade from. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export interface OtherBuild {
  /** Its files, with `make build` done. */
  readonly root: string;
  /** Short, or the folder that was given. */
  readonly name: string;
  /** Removes it, if it was made here. */
  remove(): void;
}

/**
 * Builds a commit in the system's temporary directory, with its own packages; or takes a folder in which `make build` was
 * run. Throws an Error that says what to do if the commit is not to be had.
 */
export function buildOther(from: string): OtherBuild {
  if (existsSync(join(from, 'dist/operator.mjs'))) return { root: resolve(from), name: from, remove: () => undefined };
  const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const found = spawnSync('git', ['rev-parse', '--verify', '--short', `${from}^{commit}`], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (found.status !== 0) {
    const isShallow = git('rev-parse', '--is-shallow-repository') === 'true';
    const advice = isShallow
      ? 'this clone is shallow: git fetch --unshallow'
      : 'write FROM=COMMIT, or FROM=FOLDER after make build';
    throw new Error(`there is no commit ${JSON.stringify(from)} here; ${advice}`);
  }
  const root = mkdtempSync(join(tmpdir(), 'other-build-'));
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  try {
    execFileSync('sh', ['-c', 'git archive "$0" | tar -x -C "$1"', from, root], { cwd: ROOT });
    const env = { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter) };
    const options = { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'] };
    execFileSync('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], options);
    execFileSync('node', ['build/bundle.ts'], options);
  } catch (error) {
    remove();
    throw error;
  }
  return { root, name: found.stdout.trim(), remove };
}
