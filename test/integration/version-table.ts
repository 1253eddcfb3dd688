/**
 * `make test-versions` runs tests against the API servers of older Kubernetes versions, which it builds once, and prints a table
 * of versions and files. VERSIONS=1.30 runs one version, VERSIONS="1.30 1.34" two; default: all. The pinned version is
 * that of `make test`. One file: `KUBERNETES_VERSION=1.30 mocha test/integration/crd.test.ts`.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { addCounts, bundleOperator, runMocha, type Counts } from '../../build/mocha.ts';
import { ensureTools } from '../../build/tools/tools.ts';
import { CHOICE, minorNamed, OLDER_MINORS, toolOf, type OlderMinor } from '../support/kubernetes-versions.ts';

/** What depends on the API server, with what it shows of it. Everything else is the same on each. */
const FILES: Readonly<Record<string, string>> = {
  'integration/kubernetes-versions.test.ts': 'what a version lacks, and what the operator says of it',
  'integration/crd.test.ts': 'the CRD is accepted; CEL and the schema admit and refuse policies',
  'integration/crd-versions.test.ts': 'older and newer CRDs; status by server-side apply',
  'integration/install.test.ts': 'config/default with guard and warnings, and the rights in it',
  'integration/overlay.test.ts': 'the guard follows an overlay and refuses a stolen token',
  'integration/warnings.test.ts': 'the CEL of the warnings, in each kind of workload',
  'integration/chart-install.test.ts': 'the chart by Helm 3 and 4: install, upgrade, removal',
  'integration/workloads.test.ts': 'injection, denial, restore',
  'integration/inventory.test.ts': 'inventory, repair, status and Events',
  'integration/certificates.test.ts': 'two replicas rotate their CA under load',
  'integration/platform-edits.test.ts': 'the webhook configuration with matchConditions, edited by others',
  'integration/rights.test.ts': 'every feature with the rights of config/rbac and the guard: nothing is refused',
  'integration/check.test.ts': 'the command check, and the log',
  'integration/removal.test.ts': 'uninstall, kubectl delete, garbage collection',
  'hostile/stolen-token.test.ts': 'the guard, against everything that a stolen token is tried for',
};

// Each file has its own servers, and waits for them most of the time.
const FILES_AT_ONCE = 2;

interface Cell extends Counts {
  readonly seconds: number;
}

const scratch = mkdtempSync(join(tmpdir(), 'vault-injection-versions-'));

/** Runs one file and prints what it said when it has ended. */
async function runFile(minor: OlderMinor, file: string): Promise<Cell> {
  const name = `1.${minor} ${basename(file)}`;
  const started = Date.now();
  const log = join(scratch, `${name}.log`);
  const output = openSync(log, 'w');
  const env = { [CHOICE]: `1.${minor}` };
  const counts = await runMocha([`test/${file}`], { output, env, countsFile: join(scratch, `${name}.json`) });
  closeSync(output);
  console.log(`\n== Kubernetes 1.${minor}: ${file}`);
  process.stdout.write(readFileSync(log));
  return { ...counts, seconds: Math.round((Date.now() - started) / 1000) };
}

/** Runs all files on one version, some at once. */
async function runVersion(minor: OlderMinor): Promise<Readonly<Record<string, Cell>>> {
  const names = ['kube-apiserver', 'kube-controller-manager'] as const;
  await ensureTools(
    names.map((name) => toolOf(name, minor)),
    { log: console.log },
  );
  const cells: Record<string, Cell> = {};
  const waiting = Object.keys(FILES);
  const runner = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
      cells[file] = await runFile(minor, file);
  };
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, runner));
  return cells;
}

function text({ passed, failed, skipped }: Counts): string {
  const parts = [
    [passed, 'passed'],
    [failed, 'FAILED'],
    [skipped, 'skipped'],
  ] as const;
  return parts
    .filter(([count, what]) => count > 0 || what === 'passed')
    .map(([count, what]) => `${count} ${what}`)
    .join(', ');
}

function chosen(): readonly OlderMinor[] {
  const words = (process.env.VERSIONS ?? '').split(/[\s,]+/).filter(Boolean);
  if (words.length === 0) return OLDER_MINORS;
  return words.map((word) => minorNamed('VERSIONS', word));
}

const minors = chosen();
// those of the pinned version that are the same for all
await ensureTools(['etcd', 'kubectl', 'helm3', 'helm4'], { log: console.log });
if (!bundleOperator(scratch)) throw new Error('the operator could not be bundled');
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const results = new Map<OlderMinor, Readonly<Record<string, Cell>>>();
const times: string[] = [];
for (const minor of minors) {
  const started = Date.now();
  const cells = await runVersion(minor);
  results.set(minor, cells);
  for (const cell of Object.values(cells)) addCounts(total, cell);
  times.push(`Kubernetes 1.${minor}: ${Math.round((Date.now() - started) / 1000)} s`);
}
rmSync(scratch, { recursive: true, force: true });

const lines = (list: 'failures' | 'skips'): readonly string[] =>
  [...results].flatMap(([minor, cells]) =>
    Object.entries(cells).flatMap(([file, cell]) => (cell[list] ?? []).map((line) => `  1.${minor} ${file}: ${line}`)),
  );
console.log(`\n| file | what it shows | ${minors.map((minor) => `Kubernetes 1.${minor}`).join(' | ')} |`);
console.log(`| --- | --- | ${minors.map(() => '---').join(' | ')} |`);
for (const [file, what] of Object.entries(FILES)) {
  const cells = minors.map((minor) => results.get(minor)?.[file]);
  console.log(`| ${file} | ${what} | ${cells.map((cell) => (cell === undefined ? '' : text(cell))).join(' | ')} |`);
}
console.log(`\n${times.join(', ')}`);
if (lines('skips').length > 0) console.log(`\nWhat was skipped, and why:\n${lines('skips').join('\n')}`);
if (lines('failures').length > 0) console.log(`\nWhat failed:\n${lines('failures').join('\n')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
