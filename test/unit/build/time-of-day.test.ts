import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

import { misreadTimes } from '../../../build/time-of-day.ts';

describe('the time of day', () => {
  let root: string;

  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'time-of-day-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }

  const READ = [
    'const due = this.#options.clock.now() + 1000;',
    'const at = Date.now();',
    'const at = new Date();',
    'const read = clock.now;',
    'const { now } = this.#clock;',
    'const { now: time } = clock;',
  ];
  for (const text of READ) {
    it(`is not for ${text}`, () => {
      write('operator/some/timer.ts', `export const a = 1;\n${text}\n`);
      const [sentence, ...more] = misreadTimes(root, {});
      expect(sentence).to.match(/^operator\/some\/timer\.ts:2: a duration is measured with Clock\.elapsed\(\)/);
      expect(more).to.deep.equal([]);
    });
  }

  const LEFT = [
    'clock.elapsed();',
    'performance.now();',
    'new Date(0);',
    'const f = ({ now }) => now;',
    '// Date.now()',
  ];
  for (const text of LEFT) {
    it(`has nothing to do with ${text}`, () => {
      write('webhook/timer.ts', text);
      expect(misreadTimes(root, {})).to.deep.equal([]);
    });
  }

  it('is for those who write it down', () => {
    write('kube/lease.ts', 'clock.now();');
    expect(misreadTimes(root, { 'kube/lease.ts': 'renewTime' })).to.deep.equal([]);
  });

  it('is no concern of tests, and of what builds', () => {
    write('test/timer.ts', 'Date.now();');
    write('build/timer.ts', 'Date.now();');
    expect(misreadTimes(root, {})).to.deep.equal([]);
  });

  it('has no readers in the list who do not read it', () => {
    write('kube/lease.ts', 'clock.elapsed();');
    const sentences = ['kube/lease.ts', 'kube/gone.ts'].map(
      (file) => `${file} does not ask for the time of day any more: remove it from build/time-of-day.ts`,
    );
    expect(misreadTimes(root, { 'kube/lease.ts': '', 'kube/gone.ts': '' })).to.deep.equal(sentences);
  });
});
