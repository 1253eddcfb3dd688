/**
 * `make test`: every suite, a table of their times, and a last line that counts all tests. `node build/test.ts [SUITE…]`
 * runs some of them; `make test-unit` is the suite unit.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { goModules } from './go-modules.ts';
import { addCounts, bundleOperator, runMocha, type Counts } from './mocha.ts';
import { testFiles } from './test-files.ts';
import { summaryOf, type SuiteSummary, type TimedFile } from './test-summary.ts';
import { allTools } from './tools/table.ts';
import { ensureTools } from './tools/tools.ts';

const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-test-'));

const TWO_FILES_AT_ONCE = ['--parallel', '--jobs', '2'];
// Each file has its own servers, and waits for them most of the time. Not end to end: of two kubelets on one host each
// would remove the other's containers as strays.
const THREE_FILES_AT_ONCE = ['--parallel', '--jobs', '3'];

/** Runs mocha on one folder. Resolves with the counts. */
function mocha(folder: string, flags: readonly string[] = [], output?: number): Promise<Counts> {
  const countsFile = join(scratch, `${folder}.json`);
  return runMocha(testFiles(folder), { flags, output, countsFile });
}

interface GoCounts extends Counts {
  failures: string[];
  files: TimedFile[];
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
  const failures: string[] = [];
  const files: TimedFile[] = [];
  for (const module of goModules()) {
    const counts = await goTestsOf(module, env);
    addCounts(total, counts);
    failures.push(...counts.failures);
    files.push(...counts.files);
  }
  return { ...total, failures, files };
}

/** Runs the Go tests of one module; prints a line per package and the whole output of what fails. */
async function goTestsOf(module: string, env: Record<string, string>): Promise<GoCounts> {
  const counts: GoCounts = { passed: 0, failed: 0, skipped: 0, failures: [], files: [] };
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

function count(event: GoEvent, counts: GoCounts, outputs: Map<string, string>): void {
  const key = `${event.Package ?? ''} ${event.Test ?? ''}`;
  if (event.Action === 'output' || event.Action === 'build-output') {
    outputs.set(key, (outputs.get(key) ?? '') + (event.Output ?? ''));
    if (event.Action === 'build-output') process.stdout.write(event.Output ?? '');
    return;
  }
  if (event.Test === undefined) {
    const { Action, Package = '', Elapsed = 0 } = event;
    if (['pass', 'fail', 'skip'].includes(Action)) {
      console.log(`  ${Action} ${Package} (${Elapsed.toFixed(1)} s)`);
      counts.files.push({ file: `Go package ${Package}`, ms: Elapsed * 1000 });
    }
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
    counts.failures.push(`${event.Package ?? ''} ${event.Test}`);
    console.log(outputs.get(key) ?? '');
  }
}

async function withVault(): Promise<Record<string, string>> {
  const { vault } = await ensureTools(['vault'], { log: console.log });
  return { VAULT_ENV_TEST_VAULT: vault.path };
}

async function withBundle(suite: () => Promise<Counts>): Promise<Counts> {
  return bundleOperator(scratch) ? suite() : { passed: 0, failed: 1, skipped: 0 };
}

const SUITES: Readonly<Record<string, () => Promise<Counts>>> = {
  unit: () => mocha('unit', TWO_FILES_AT_ONCE),
  go: async () => goTests(await withVault()),
  integration: () => withBundle(() => mocha('integration', THREE_FILES_AT_ONCE)),
  // whether all reviews are answered during an attack depends on what else the machine does
  hostile: () => withBundle(() => mocha('hostile', TWO_FILES_AT_ONCE)),
  e2e: () => withBundle(() => mocha('e2e')),
};

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const summaries: SuiteSummary[] = [];

/** Counts a suite that has ended. */
function ended(name: string, counts: Counts, started: number): void {
  addCounts(total, counts);
  failures.push(...(counts.failures ?? []).map((line) => `${name}: ${line}`));
  const { passed, failed, skipped, files = [] } = counts;
  const seconds = Math.round((Date.now() - started) / 1000);
  summaries.push({ name, passed, failed, skipped, seconds, files });
  console.log(`== ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`);
}

/** Pods wait for each other, and leave the processors to the tests of the other suite; what they print follows it. */
async function besideEachOther(): Promise<void> {
  console.log('\n== integration tests, and end to end beside them: those are printed when they have ended');
  if (!bundleOperator(scratch)) throw new Error('the operator could not be bundled');
  const started = Date.now();
  const output = openSync(join(scratch, 'e2e.log'), 'w+');
  const e2e = mocha('e2e', [], output).then((counts) => ({ counts, endedAt: Date.now() }));
  ended('integration', await mocha('integration', THREE_FILES_AT_ONCE), started);
  const waiting = setInterval(() => console.log('(end to end tests are still running)'), 60_000);
  const { counts, endedAt } = await e2e;
  clearInterval(waiting);
  console.log('\n== e2e tests');
  process.stdout.write(readFileSync(join(scratch, 'e2e.log')));
  ended('e2e', counts, started + Date.now() - endedAt);
  closeSync(output);
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in SUITES));
if (unknown !== undefined) throw new Error(`no suite "${unknown}": write ${Object.keys(SUITES).join(', ')}`);
if (wanted.length === 0) await ensureTools(allTools, { log: console.log });

const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
const areBoth = isWanted('integration') && isWanted('e2e');
const runs = Object.entries(SUITES).filter(([name]) => isWanted(name) && !(areBoth && name === 'e2e'));
for (const [name, run] of runs) {
  if (areBoth && name === 'integration') {
    await besideEachOther();
    continue;
  }
  console.log(`\n== ${name} tests`);
  const started = Date.now();
  ended(name, await run(), started);
}
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${summaryOf(summaries).join('\n')}`);
// Last, since who reads only the end of a long output wants to know just this.
if (failures.length > 0) console.log(`\nWhat failed:\n${failures.map((line) => `  ${line}`).join('\n')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
