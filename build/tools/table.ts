/** The programs that tests and demo run: which, in which version, from where. The table itself is tools.json. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import table from './tools.json' with { type: 'json' };

/** Built from a Go module below test/tools, pinned by its go.mod and go.sum. */
export interface GoTool {
  readonly version: string;
  readonly module: string;
  readonly package: string;
  readonly flags: readonly string[];
  /** How long a first build takes on 2 cores, to tell the user. */
  readonly seconds: number;
  readonly use?: ToolUse;
}

/** Taken from PATH, else from a Debian package that is unpacked into the cache, not installed. */
export interface DebianTool {
  readonly debianPackage: string;
  /** Where the program is in the package; * stands for a version. */
  readonly path: string;
  /** The program needs other files: the whole package is kept, with all its dependencies that are not installed. */
  readonly whole?: boolean;
  /** Packages that it does not depend on, and needs here: kept with it, if they are not installed. */
  readonly beside?: readonly string[];
  readonly use?: ToolUse;
}

/** Left out: for everything, including the demo. On request: no test needs it; tests that would use it are skipped. */
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

/** Returns where built tools are kept: outside the repository, so that all checkouts of the user share them. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  // XDG Base Directory Specification: a relative path must be ignored.
  const xdg = env.XDG_CACHE_HOME;
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'vault-injection-operator');
}

/** Returns the path of a tool in the cache, whether it exists or not. */
export function cachedPath(name: ToolName): string {
  const tool = tools[name];
  return join(cacheDirectory(), `${name}-${'version' in tool ? tool.version : 'debian'}`, name);
}
