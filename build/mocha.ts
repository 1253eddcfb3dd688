/** Runs mocha with a reporter that counts, for `make test` and the suites that have a command of their own. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { TimedFile } from './test-summary.ts';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** What failed, a line each. */
  failures?: readonly string[];
  /** What was skipped: the full titles. */
  skips?: readonly string[];
  /** How long each file took. */
  files?: readonly TimedFile[];
}

export interface MochaOptions {
  readonly flags?: readonly string[];
  /** File descriptor for what it prints; default: the terminal. */
  readonly output?: number | undefined;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** A file for the counts, which it writes. */
  readonly countsFile: string;
}

const root = join(import.meta.dirname, '..');

// mocha takes CI=true for a terminal with colors
const PLAIN = process.stdout.isTTY ? [] : ['--no-color'];

/** Runs mocha on files; a run that dies before it counts is one failure. Resolves with the counts. */
export async function runMocha(
  files: readonly string[],
  { flags = [], output, env = {}, countsFile }: MochaOptions,
): Promise<Counts> {
  const print = output ?? 'inherit';
  const child = spawn('mocha', [...flags, ...PLAIN, '--reporter', 'build/counting-reporter.ts', '--exit', ...files], {
    cwd: root,
    stdio: ['ignore', print, print],
    env: { ...process.env, ...env, COUNTS_FILE: countsFile },
  });
  const status = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  try {
    const counts = JSON.parse(readFileSync(countsFile, 'utf8')) as Counts;
    return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } catch {
    const why = `${files[0] ?? 'no file'}: mocha ended with status ${status ?? 'none'} before it counted its tests`;
    console.error(why);
    return { passed: 0, failed: 1, skipped: 0, failures: [why] };
  }
}

/** Adds the numbers of one run to those of all. */
export function addCounts(total: Counts, { passed, failed, skipped }: Counts): void {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}

/**
 * Bundles the operator for the suites that start it many times: from its sources, each start takes 1.2 s of a processor
 * longer. The copy below `scratch` stays as it is, although tests build dist/ as well. Returns whether it worked.
 */
export function bundleOperator(scratch: string): boolean {
  const dist = join(scratch, 'dist');
  if (process.env.OPERATOR_DIST === dist) return true;
  const { status } = spawnSync('node', [join(root, 'build/bundle.ts')], { cwd: root, stdio: 'inherit' });
  if (status !== 0) return false;
  cpSync(join(root, 'dist'), dist, { recursive: true });
  process.env.OPERATOR_DIST = dist;
  return true;
}
