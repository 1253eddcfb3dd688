import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { summaryOf, type SuiteSummary, type TimedFile } from '../../../build/test-summary.ts';

const ROOT = join(import.meta.dirname, '../../..');

function suite(name: string, seconds: number, files: readonly TimedFile[] = []): SuiteSummary {
  return { name, passed: 12, failed: 0, skipped: 1, seconds, files };
}

describe('the summary of make test', function () {
  // two of its tests start a mocha of their own
  this.timeout(120_000);

  it('has a line for each suite, with counts and time', () => {
    expect(summaryOf([suite('unit', 31.6), { ...suite('integration', 942), passed: 1003, failed: 2 }])).to.deep.equal([
      '  suite        passed  failed  skipped   time',
      '  unit             12       0        1   32 s',
      '  integration    1003       2        1  942 s',
    ]);
  });

  it('names the ten slowest files of all suites, and none that took less than a second', () => {
    const files = Array.from({ length: 12 }, (_, index) => ({ file: `${index}.test.ts`, ms: 1_000 * index }));
    const lines = summaryOf([suite('unit', 1, files.slice(0, 6)), suite('e2e', 1, files.slice(6))]);
    expect(lines.slice(3)).to.deep.equal([
      '',
      'The slowest files, with what they start before their tests:',
      ...[11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((at) => `${`${at}.0 s`.padStart(10)}  ${at}.test.ts`),
    ]);
    const fast = [{ file: 'fast.test.ts', ms: 999 }];
    expect(summaryOf([suite('unit', 1, fast)])).to.have.length(2);
  });

  for (const [how, flags] of Object.entries({ alone: [], 'in parallel': ['--parallel'] }))
    it(`counts the hooks of a file, ${how}`, () => {
      const dir = mkdtempSync(join(tmpdir(), 'test-summary-'));
      try {
        const file = join(dir, 'some.test.ts');
        const wait = '(done) => setTimeout(done, 60)';
        writeFileSync(file, `describe('x', () => { before(${wait}); it('y', ${wait}); it('z', () => {}); });\n`);
        const { status, stdout } = spawnSync(
          join(ROOT, 'node_modules/.bin/mocha'),
          [...flags, '--no-config', '--extension', 'ts', '--reporter', 'build/counting-reporter.ts', file],
          { cwd: ROOT, encoding: 'utf8', env: { ...process.env, COUNTS_FILE: join(dir, 'counts.json') } },
        );
        expect(status, stdout).to.equal(0);
        const { passed, files } = JSON.parse(readFileSync(join(dir, 'counts.json'), 'utf8')) as {
          passed: number;
          files: TimedFile[];
        };
        expect(passed).to.equal(2);
        expect(files).to.have.length(1);
        expect(files[0]?.file).to.match(/some\.test\.ts$/);
        // timers may come a little early: each of the two waits is at least 50 ms of the sum
        expect(files[0]?.ms).to.be.above(100);
      } finally {
        rmSync(dir, { recursive: true });
      }
    });
});
