import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
const rows = readFileSync(join(ROOT, 'docs/complaints.md'), 'utf8')
  .split('\n')
  .flatMap((line) => /^\| (\d+) +\|/.exec(line)?.[1] ?? [])
  .map(Number);

/** The tests that a page names: `file`: "title", "title". */
function named(page: string): readonly (readonly [file: string, title: string])[] {
  return Array.from(page.matchAll(/`([a-z]+\/[\w/-]+\.test\.ts)`: ((?:"[^"]+"(?:, )?)+)/g)).flatMap(
    ([, file = '', titles = '']) =>
      Array.from(titles.matchAll(/"([^"]+)"/g), ([, title = '']) => [file, title] as const),
  );
}

describe('the page about complaints', () => {
  const page = readFileSync(join(ROOT, 'docs/complaints.md'), 'utf8');

  it('answers all fifteen', () => {
    expect(rows).to.deep.equal(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(named(page)).to.have.length.above(15);
  });

  for (const [file, title] of named(page)) {
    it(`names a test that exists: ${file}: ${title}`, () => {
      const path = join(ROOT, 'test', file);
      expect(existsSync(path), path).to.be.true;
      expect(readFileSync(path, 'utf8')).to.contain(title);
    });
  }

  it('names alerts that exist', () => {
    const alerts = readFileSync(join(ROOT, 'config/alerts/alerts.yaml'), 'utf8');
    const found = Array.from(page.matchAll(/alert `(\w+)`/g), ([, alert = '']) => alert);
    expect(found).to.have.length(2);
    for (const alert of found) expect(alerts).to.match(new RegExp(`alert: ${alert}$`, 'm'));
  });
});
