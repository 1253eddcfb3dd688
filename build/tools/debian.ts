import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Log } from './go-build.ts';
import { cacheDirectory, cachedPath, type DebianTool, type ToolName } from './table.ts';

/** Unpacks a program from its Debian package into the cache. It installs nothing and does not need root. */
export function fetchFromDebian(name: ToolName, tool: DebianTool, log: Log): void {
  unpacking(name, tool, log, (dir, attempt) => {
    attempt(() => download([tool.debianPackage], dir));
    const root = unpack(dir);
    mkdirSync(dirname(cachedPath(name)), { recursive: true });
    copyFileSync(join(root, tool.path), cachedPath(name));
  });
}

/**
 * The same for a program that needs other files: the cache gets the whole package and its missing dependencies below
 * root/, and a link to the program.
 */
export function fetchWholeFromDebian(name: ToolName, tool: DebianTool, log: Log): void {
  unpacking(name, tool, log, (dir, attempt) => {
    attempt(() => download(missingPackages([tool.debianPackage, ...(tool.beside ?? [])]), dir));
    unpack(dir);
    const [program] = globSync(join('root', tool.path), { cwd: dir });
    if (program === undefined) throw new Error(`the Debian package ${tool.debianPackage} has no ${tool.path}`);
    symlinkSync(program, join(dir, basename(cachedPath(name))));
    renameSync(dir, dirname(cachedPath(name)));
  });
}

/** Runs `fetch` with a separate directory in the cache, and a way to retry with fresh package lists. */
function unpacking(
  name: ToolName,
  { debianPackage }: DebianTool,
  log: Log,
  fetch: (dir: string, attempt: (action: () => void) => void) => void,
): void {
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `${name} is neither on PATH nor to be had by apt-get: install the package of your system that has it`,
    );
  }
  mkdirSync(cacheDirectory(), { recursive: true });
  const dir = mkdtempSync(join(cacheDirectory(), `.${debianPackage}-`));
  try {
    log(`fetching the Debian package ${debianPackage} into the cache (it is not installed)`);
    fetch(dir, (action) => withFreshLists(debianPackage, log, action));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function withFreshLists(debianPackage: string, log: Log, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (process.getuid?.() !== 0) {
      const advice = `run "sudo apt-get update" or install ${debianPackage}, and try again`;
      throw new Error(`apt-get download ${debianPackage} failed; ${advice}`, { cause: error });
    }
    log('apt-get update: this machine has no fresh package lists');
    execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'pipe'] });
    action();
  }
}

function download(packages: readonly string[], dir: string): void {
  execFileSync('apt-get', ['download', '-qq', ...packages], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
}

/**
 * Returns what apt would install for packages, including these: its simulation prints `Inst NAME (…)`, and needs no
 * root.
 */
function missingPackages(packages: readonly string[]): string[] {
  const args = ['-s', '-o', 'APT::Install-Recommends=false', 'install', ...packages];
  const said = execFileSync('apt-get', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return [...said.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
}

/** Unpacks the archives in a directory; returns the root of their content. */
function unpack(dir: string): string {
  const root = join(dir, 'root');
  for (const archive of readdirSync(dir).filter((file) => file.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', join(dir, archive), root]);
    rmSync(join(dir, archive));
  }
  return root;
}
