import { spawn } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { progress } from './pace.ts';
import { cachedPath, type GoTool, type ToolName } from './table.ts';

export type Log = (line: string) => void;

const TOOLS = fileURLToPath(new URL('../../test/tools/', import.meta.url));
const HEARTBEAT_MS = 15_000;

export interface ToolBuild {
  readonly name: ToolName;
  readonly tool: GoTool;
  /** For example '3 of 11'. */
  readonly position: string;
  /** How many seconds it is expected to take on this machine. */
  readonly expected: number;
}

/** Builds one tool into the cache, where it appears complete or not at all. Resolves with the seconds that it took. */
export async function buildTool({ name, tool, position, expected }: ToolBuild, log: Log): Promise<number> {
  const title = `${name} ${tool.version} (${position})`;
  const begun = Date.now();
  const elapsed = (): number => Math.round((Date.now() - begun) / 1000);
  log(`building ${title}: takes about ${expected} s, once`);
  const heartbeat = setInterval(() => log(`building ${title}: ${progress(elapsed(), expected)}`), HEARTBEAT_MS);
  try {
    await goBuild(`${TOOLS}${tool.module}`, tool.package, cachedPath(name), tool.flags);
  } finally {
    clearInterval(heartbeat);
  }
  log(`built ${title} in ${elapsed()} s`);
  return elapsed();
}

/**
 * `go build` of a package of the module in `dir` into the file `output`: static, without paths of the machine, for this
 * machine unless `platform` (GOOS, GOARCH) says otherwise.
 */
export async function goBuild(
  dir: string,
  pkg: string,
  output: string,
  flags: readonly string[] = [],
  platform: NodeJS.ProcessEnv = {},
): Promise<void> {
  mkdirSync(dirname(output), { recursive: true });
  const partial = `${output}.${process.pid}.partial`;
  try {
    await go(['build', '-trimpath', '-buildvcs=false', ...flags, '-o', partial, pkg], dir, platform);
    renameSync(partial, output);
  } finally {
    rmSync(partial, { force: true });
  }
}

function go(args: readonly string[], cwd: string, platform: NodeJS.ProcessEnv): Promise<void> {
  // go.sum decides what is built, not the user's workspace or flags.
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off', ...platform };
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, { cwd, env, stdio: ['ignore', 'inherit', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
    child.once('error', () =>
      reject(new Error('go was not found on PATH. Install Go 1.26 or later: https://go.dev/dl/')),
    );
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(explain(`go ${args.join(' ')} in ${cwd} failed (${code}):\n${said}`)));
    });
  });
}

function explain(message: string): string {
  if (/requires go >= |go: errors parsing go.mod|invalid go version/.test(message)) {
    return `${message}\nThis Go is too old: install Go 1.26 or later (https://go.dev/dl/), or unset GOTOOLCHAIN=local.`;
  }
  if (message.includes('no space left on device'))
    return `${message}\nA first build needs about 8 GB free for Go's build cache.`;
  return message;
}
