/** Which files a suite has, in the order in which they are started. */
import { globSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/**
 * Those that take longest: begun first, so that at the end of a suite no single file keeps the others' processors waiting.
 * `make test` prints the slowest of each run; the order among them matters little.
 */
const LONGEST: readonly string[] = [
  'test/integration/gitops.test.ts',
  'test/integration/every-kind.test.ts',
  'test/integration/rotation.test.ts',
  'test/integration/removal.test.ts',
  'test/integration/inventory.test.ts',
  'test/integration/chart-install.test.ts',
  'test/integration/removal-interrupted.test.ts',
  'test/integration/chart.test.ts',
  'test/integration/workloads.test.ts',
  'test/integration/frozen-replica.test.ts',
  'test/integration/robustness.test.ts',
  'test/integration/platform-edits.test.ts',
  'test/integration/images.test.ts',
  'test/integration/certificates.test.ts',
  'test/integration/added-kind.test.ts',
  'test/integration/coverage.test.ts',
  'test/integration/entries-by-kind.test.ts',
  'test/hostile/budgets.test.ts',
  'test/hostile/vault-identity.test.ts',
  'test/unit/core/workload/plan-simulation.test.ts',
];

/** Returns the test files below a folder of test/, as paths from the root of the repository. */
export function testFiles(folder: string): readonly string[] {
  const files = globSync(`test/${folder}/**/*.test.ts`, { cwd: root }).sort();
  const first = LONGEST.filter((file) => file.startsWith(`test/${folder}/`));
  const unknown = first.find((file) => !files.includes(file));
  if (unknown !== undefined) throw new Error(`${unknown} is not there: correct LONGEST in build/test-files.ts`);
  return [...first, ...files.filter((file) => !first.includes(file))];
}
