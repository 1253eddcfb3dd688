import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** mocha's spec reporter, which also leaves its counts in the file named by COUNTS_FILE for the closing line. */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.once('end', () => {
      const file = process.env.COUNTS_FILE;
      if (file === undefined) return;
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
    });
  }
}
