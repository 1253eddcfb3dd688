/**
 * Finds the programs that tests and demo run, and builds what is missing, once for all checkouts of a user. Search
 * order: KUBEBUILDER_ASSETS (setup-envtest's convention), PATH if any version will do, the cache. As a program, `node
 * build/tools/tools.ts [NAME…]` does this for all or the named ones.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, globSync, openSync, readSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { buildTool, type Log } from './go-build.ts';
import { fetchFromDebian, fetchWholeFromDebian } from './debian.ts';
import { withLock } from './lock.ts';
import { inMinutes, Pace } from './pace.ts';
import {
  allTools,
  cacheDirectory,
  cachedPath,
  isToolName,
  minutesToBuild,
  secondsToBuild,
  tools,
  type ToolName,
} from './table.ts';

export interface FoundTool {
  readonly path: string;
  readonly origin: 'KUBEBUILDER_ASSETS' | 'PATH' | 'cache';
}

/**
 * Resolves with the named programs. Builds what is missing, which takes minutes and says so through `log` (default:
 * stderr).
 */
export async function ensureTools<N extends ToolName>(
  names: readonly N[],
  options: { readonly log?: Log } = {},
): Promise<Readonly<Record<N, FoundTool>>> {
  const log = options.log ?? ((line) => process.stderr.write(`${line}\n`));
  const complete = (): boolean => missingTools(names).length === 0;
  if (!complete()) {
    const onWait = (pid: number): void => log(`waiting for process ${pid}, which is building tools`);
    const lock = join(cacheDirectory(), 'build.lock');
    await withLock(lock, { onWait, needless: complete }, () => makeMissing(names, log));
  }
  const found = names.map((name) => [name, findTool(name) ?? failed(name)] as const);
  return Object.fromEntries(found) as Record<N, FoundTool>;
}

/** Returns which of the programs have to be built. */
export function missingTools<N extends ToolName>(names: readonly N[]): readonly N[] {
  return names.filter((name) => findTool(name) === undefined);
}

/** Returns where a program is, or undefined if it has to be built. */
export function findTool(name: ToolName, env: NodeJS.ProcessEnv = process.env): FoundTool | undefined {
  const assets = env.KUBEBUILDER_ASSETS;
  if (assets !== undefined && ['etcd', 'kube-apiserver', 'kubectl'].includes(name)) {
    const path = join(assets, name);
    if (existsSync(path)) return { path, origin: 'KUBEBUILDER_ASSETS' };
  }
  const path = (onPath[name] ?? []).map((program) => whichRuns(program, env)).find((found) => found !== undefined);
  if (path !== undefined) return { path, origin: 'PATH' };
  return existsSync(cachedPath(name)) ? { path: cachedPath(name), origin: 'cache' } : undefined;
}

interface InstalledProgram {
  readonly name: string;
  /** Where systems put it that do not have it on PATH; * stands for a version. */
  readonly elsewhere?: string;
  readonly serves: (path: string) => boolean;
}

/** Programs whose version does not matter, with how to check that the one on PATH is suitable. */
const onPath: Partial<Record<ToolName, readonly InstalledProgram[]>> = {
  vault: [
    { name: 'vault', serves: runsWith('version') },
    { name: 'bao', serves: runsWith('version') },
  ],
  runc: [{ name: 'runc', serves: runsWith('--version') }],
  busybox: [{ name: 'busybox', serves: isStatic }],
  postgres: [{ name: 'postgres', elsewhere: '/usr/lib/postgresql/*/bin/postgres', serves: isWithInitdbAndPsql }],
  prometheus: [{ name: 'prometheus', serves: runsWith('--version') }],
  promtool: [{ name: 'promtool', serves: runsWith('--version') }],
  // some systems call it just "registry"
  'docker-registry': [
    { name: 'docker-registry', serves: runsWith('--version') },
    { name: 'registry', serves: runsWith('--version') },
  ],
  // any of them photographs a page; what it is called depends on who packaged it
  chromium: ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'].map((name) => ({
    name,
    serves: runsWith('--version'),
  })),
  'qemu-aarch64': [{ name: 'qemu-aarch64-static', serves: runsWith('--version') }],
};

function whichRuns({ name, elsewhere, serves }: InstalledProgram, env: NodeJS.ProcessEnv): string | undefined {
  const directories = (env.PATH ?? '').split(delimiter).filter(Boolean);
  const paths = [
    ...directories.map((directory) => join(directory, name)),
    ...(elsewhere === undefined ? [] : globSync(elsewhere)),
  ];
  return paths.find((path) => existsSync(path) && serves(path));
}

function isWithInitdbAndPsql(path: string): boolean {
  return ['initdb', 'psql'].every((name) => existsSync(join(dirname(realpathSync(path)), name)));
}

function runsWith(argument: string): (path: string) => boolean {
  return (path) => {
    try {
      execFileSync(path, [argument], { stdio: 'ignore', timeout: 10_000 });
      return true;
    } catch {
      return false;
    }
  };
}

/** Whether it is an ELF file without a dynamic loader (it has no PT_INTERP program header; elf(5)). */
function isStatic(path: string): boolean {
  const head = Buffer.alloc(4096);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  if (head.toString('latin1', 0, 5) !== '\x7fELF\x02' || head[5] !== 1) return false; // 64 bits, little endian
  const [offset, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
  const PT_INTERP = 3;
  return Array.from({ length: count }, (_, i) => offset + i * size).every(
    (at) => at + 4 <= head.length && head.readUInt32LE(at) !== PT_INTERP,
  );
}

async function makeMissing(names: readonly ToolName[], log: Log): Promise<void> {
  const missing = missingTools(names);
  const pace = new Pace();
  if (secondsToBuild(missing) > 60) {
    const { quiet, busy } = minutesToBuild(missing);
    const minutes = `${quiet} minutes on 2 cores, or ${busy} on a busy machine`;
    log(`${missing.length} tools are built from source, once: about ${minutes}, and the download of sources.`);
    log(`They are kept in ${cacheDirectory()} for the next time.`);
  }
  for (const [i, name] of missing.entries()) {
    const tool = tools[name];
    if ('debianPackage' in tool) {
      if (tool.whole === true) fetchWholeFromDebian(name, tool, log);
      else fetchFromDebian(name, tool, log);
      continue;
    }
    const position = `${i + 1} of ${missing.length}`;
    pace.saw(tool.seconds, await buildTool({ name, tool, position, expected: pace.of(tool.seconds) }, log));
    const left = pace.of(secondsToBuild(missing.slice(i + 1)));
    if (left > 60) log(`the other ${missing.length - i - 1} take about ${inMinutes(left)} at this pace`);
  }
}

function failed(name: ToolName): never {
  throw new Error(`${name} is still missing: remove ${cacheDirectory()} and try again`);
}

if (import.meta.main) {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !isToolName(name));
  if (unknown.length > 0) {
    console.error(`no such tool: ${unknown.join(', ')}. There are: ${allTools.join(', ')}`);
    process.exit(2);
  }
  try {
    const found = await ensureTools(names.length > 0 ? names.filter(isToolName) : allTools);
    for (const [name, { path, origin }] of Object.entries(found)) console.log(`${name}\t${origin}\t${path}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
