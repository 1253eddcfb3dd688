import { globSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { testFiles } from '../../../build/test-files.ts';

const ROOT = join(import.meta.dirname, '../../..');

describe('the files of a suite', () => {
  for (const folder of ['unit', 'integration', 'hostile', 'e2e'])
    it(`are all those of test/${folder}, each once`, () => {
      const all = globSync(`test/${folder}/**/*.test.ts`, { cwd: ROOT }).sort();
      expect([...testFiles(folder)].sort()).to.deep.equal(all);
      expect(all).not.to.deep.equal([]);
    });

  it('begin with the longest', () => {
    expect(testFiles('integration')[0]).to.equal('test/integration/gitops.test.ts');
    expect(testFiles('unit')[0]).to.equal('test/unit/core/workload/plan-simulation.test.ts');
  });
});
