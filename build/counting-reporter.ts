import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import Mocha from 'mocha';

// A file of unit tests that takes longer is worth a look, unless the machine is busy: all together may take half a
// minute.
const SLOW_MS = 5_000;

/**
 * mocha's spec reporter that also names slow files, and writes its counts, the time of each file, the names of what failed,
 * each with the first line of its error, and of what was skipped to the file named by COUNTS_FILE. Hooks count: they start the
 * servers.
 */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const times = new Map<string, number>();
    const took = ({ file = '', duration = 0 }: Mocha.Runnable): void => {
      const name = relative('', file);
      times.set(name, (times.get(name) ?? 0) + duration);
    };
    runner.on('test end', took).on('hook end', took);
    const failures: string[] = [];
    runner.on('fail', (test, error: Partial<Error> | undefined) => {
      const [message = ''] = (error?.message ?? '').split('\n', 1);
      failures.push(`${test.fullTitle()}: ${message}`);
    });
    const skips: string[] = [];
    runner.on('pending', (test) => skips.push(test.fullTitle()));
    runner.once('end', () => {
      const slow = [...times].filter(([, ms]) => ms > SLOW_MS).sort(([, a], [, b]) => b - a);
      for (const [file, ms] of slow) {
        Mocha.reporters.Base.consoleLog('  %s s in %s', (ms / 1000).toFixed(1), file);
      }
      const file = process.env.COUNTS_FILE;
      if (file === undefined) return;
      const { passes = 0, failures: failed = 0, pending = 0 } = runner.stats ?? {};
      const files = Array.from(times, ([name, ms]) => ({ file: name, ms }));
      const counts = { passed: passes, failed, skipped: pending, failures, skips, files };
      writeFileSync(file, JSON.stringify(counts));
    });
  }
}
