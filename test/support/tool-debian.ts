import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from './tool-build.ts';
import { cacheDirectory, cachedPath, type DebianTool, type ToolName } from './tool-table.ts';

/** Unpacks a program out of its Debian package into the cache. Nothing is installed, and root is not needed. */
export function fetchFromDebian(name: ToolName, tool: DebianTool, log: Log): void {
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `${name} is neither on PATH nor to be had by apt-get: install the package of your system that has it`,
    );
  }
  mkdirSync(cacheDirectory(), { recursive: true });
  const dir = mkdtempSync(join(cacheDirectory(), `.${tool.debianPackage}-`));
  try {
    log(`fetching the Debian package ${tool.debianPackage} into the cache (it is not installed)`);
    download(tool.debianPackage, dir, log);
    const [archive = ''] = readdirSync(dir).filter((file) => file.endsWith('.deb'));
    execFileSync('dpkg', ['-x', join(dir, archive), join(dir, 'root')]);
    mkdirSync(dirname(cachedPath(name)), { recursive: true });
    copyFileSync(join(dir, 'root', tool.path), cachedPath(name));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function download(pkg: string, dir: string, log: Log): void {
  const attempt = (): void => {
    execFileSync('apt-get', ['download', '-qq', pkg], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  try {
    attempt();
  } catch (error) {
    if (process.getuid?.() !== 0) {
      throw new Error(`apt-get download ${pkg} failed; run "sudo apt-get update" or install ${pkg}, and try again`, {
        cause: error,
      });
    }
    log('apt-get update: this machine has no fresh package lists');
    execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'pipe'] });
    attempt();
  }
}
