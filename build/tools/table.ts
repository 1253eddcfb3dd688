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
  /** How long a first build takes on 2 cores that do nothing else, download of sources included, to tell the user. */
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

/** Those of the demo that run pods, which needs Linux: without it, the demo does without a node. */
export const nodeTools: readonly ToolName[] = [
  ...(['kube-scheduler', 'kubelet', 'containerd', 'containerd-shim-runc-v2', 'ctr', 'runc', 'busybox'] as const),
];

/** How many seconds the table says for these. */
export function secondsToBuild(names: readonly ToolName[]): number {
  return names.map((name) => tools[name]).reduce((sum, tool) => sum + ('seconds' in tool ? tool.seconds : 5), 0);
}

// Measured for all tools of the demo, from nothing: 25 minutes on a quiet machine, 44 beside other work.
const BUSY = 44 / 25;

/**
 * How long building these takes on 2 cores, in whole minutes: the one place that says so. README.md, CONTRIBUTING.md and
 * the Makefile repeat it, and a test compares them.
 */
export function minutesToBuild(names: readonly ToolName[]): { readonly quiet: number; readonly busy: number } {
  const minutes = secondsToBuild(names) / 60;
  return { quiet: Math.ceil(minutes), busy: Math.ceil(minutes * BUSY) };
}

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
