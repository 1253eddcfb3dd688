/** The programs that tests and demo run: which, in what version, from where. The table itself is tools.json. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import table from './tools.json' with { type: 'json' };

/** Built from a Go module below test/tools, pinned by its go.mod and go.sum. */
export interface GoTool {
  readonly version: string;
  readonly module: string;
  readonly package: string;
  readonly flags: readonly string[];
  /** What a first build takes on 2 cores, for the person who waits. */
  readonly seconds: number;
  readonly use?: ToolUse;
}

/** Taken from PATH, else out of a Debian package that is unpacked into the cache and not installed. */
export interface DebianTool {
  readonly debianPackage: string;
  /** Where the program lies in the package; * stands for a version. */
  readonly path: string;
  /** The program needs what lies beside it: the whole package is kept, with all those it depends on and are not installed. */
  readonly whole?: boolean;
  readonly use?: ToolUse;
}

/** Left out: for everything, the demo too. On request: no test needs it, one that would use it is skipped without it. */
export type ToolUse = 'tests' | 'on request';

export type ToolName = keyof typeof table;

export const tools = table as Readonly<Record<ToolName, GoTool | DebianTool>>;

const names = Object.keys(table) as ToolName[];

/** What `make test` needs. */
export const allTools = names.filter((name) => tools[name].use !== 'on request');

/** What `make demo` needs. */
export const demoTools = names.filter((name) => tools[name].use === undefined);

export function isToolName(name: string): name is ToolName {
  return Object.hasOwn(table, name);
}

/** Where built tools are kept: outside of the repository, so that every checkout of the user shares them. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  // XDG Base Directory Specification: a relative path is to be ignored.
  const xdg = env.XDG_CACHE_HOME;
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'vault-injection-operator');
}

/** The path of a tool in the cache, whether it is there or not. */
export function cachedPath(name: ToolName): string {
  const tool = tools[name];
  return join(cacheDirectory(), `${name}-${'version' in tool ? tool.version : 'debian'}`, name);
}
