/**
 * `make test`: every suite one after the other, and a last line that counts all tests. `node build/test.ts [SUITE…]`
 * runs some of them; `make test-unit` is the suite unit.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { goModules } from './go-modules.ts';
import { allTools } from './tools/table.ts';
import { ensureTools } from './tools/tools.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-test-'));

// Each file has its own servers, and integration tests wait for them most of the time. Not end to end: of two kubelets
// on one host each would remove the other's containers as strays.
const TWO_FILES_AT_ONCE = ['--parallel', '--jobs', '2'];

// mocha takes CI=true for a terminal with colors
const PLAIN = process.stdout.isTTY ? [] : ['--no-color'];

/** Runs mocha on one folder; a run that dies before it counts is one failure. Returns the counts. */
function mocha(folder: string, flags: readonly string[] = []): Counts {
  const countsFile = join(scratch, `${folder}.json`);
  const { status } = spawnSync(
    'mocha',
    [...flags, ...PLAIN, '--reporter', 'build/counting-reporter.ts', '--exit', `test/${folder}/**/*.test.ts`],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, COUNTS_FILE: countsFile } },
  );
  try {
    const counts = JSON.parse(readFileSync(countsFile, 'utf8')) as Counts;
    return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } catch {
    console.error(`${folder}: mocha ended with status ${status ?? 'none'} before it counted its tests`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

interface GoEvent {
  Action: string;
  Package?: string;
  Test?: string;
  Output?: string;
  /** Seconds. */
  Elapsed?: number;
}

async function goTests(env: Record<string, string>): Promise<Counts> {
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const module of goModules()) add(total, await goTestsOf(module, env));
  return total;
}

function add(total: Counts, { passed, failed, skipped }: Counts): void {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}

/** Runs the Go tests of one module; prints a line per package and the whole output of what fails. */
async function goTestsOf(module: string, env: Record<string, string>): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const outputs = new Map<string, string>();
  const child = spawn('go', ['test', '-json', './...'], {
    cwd: join(root, module),
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise<number>((resolve) => {
    child.once('error', (error) => {
      console.error(`go could not be run (${error.message}): install Go 1.26 or newer`);
      resolve(1);
    });
    child.once('close', (code) => resolve(code ?? 1));
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{')) count(JSON.parse(line) as GoEvent, counts, outputs);
    else console.log(line);
  }
  if ((await ended) !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function count(event: GoEvent, counts: Counts, outputs: Map<string, string>): void {
  const key = `${event.Package ?? ''} ${event.Test ?? ''}`;
  if (event.Action === 'output' || event.Action === 'build-output') {
    outputs.set(key, (outputs.get(key) ?? '') + (event.Output ?? ''));
    if (event.Action === 'build-output') process.stdout.write(event.Output ?? '');
    return;
  }
  if (event.Test === undefined) {
    const time = `(${(event.Elapsed ?? 0).toFixed(1)} s)`;
    if (['pass', 'fail', 'skip'].includes(event.Action))
      console.log(`  ${event.Action} ${event.Package ?? ''} ${time}`);
    if (event.Action === 'fail') console.log(outputs.get(key) ?? '');
    return;
  }
  if (event.Action === 'pass') counts.passed++;
  if (event.Action === 'skip') {
    counts.skipped++;
    console.log(`  skipped ${event.Test}: ${(outputs.get(key) ?? '').trim().split('\n').at(-2)?.trim() ?? ''}`);
  }
  if (event.Action === 'fail') {
    counts.failed++;
    console.log(outputs.get(key) ?? '');
  }
}

async function withVault(): Promise<Record<string, string>> {
  const { vault } = await ensureTools(['vault'], { log: console.log });
  return { VAULT_ENV_TEST_VAULT: vault.path };
}

const SUITES: Readonly<Record<string, () => Promise<Counts> | Counts>> = {
  unit: () => mocha('unit', TWO_FILES_AT_ONCE),
  go: async () => goTests(await withVault()),
  integration: () => mocha('integration', TWO_FILES_AT_ONCE),
  e2e: () => mocha('e2e'),
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in SUITES));
if (unknown !== undefined) throw new Error(`no suite "${unknown}": write ${Object.keys(SUITES).join(', ')}`);
if (wanted.length === 0) await ensureTools(allTools, { log: console.log });

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const [name, run] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n== ${name} tests`);
  const started = Date.now();
  const counts = await run();
  add(total, counts);
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(
    `== ${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s`,
  );
}
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
