import { globSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { compilePolicy } from '../../../core/policy/compile.ts';
import { defaults, validate } from '../../support/example-policy.ts';

const root = new URL('../../../', import.meta.url);

/** Whole policies in the YAML of a page. */
function policiesIn(page: string): unknown[] {
  const text = readFileSync(new URL(page, root), 'utf8');
  const blocks = [...text.matchAll(/^( *)```yaml\n([^]*?)^ *```$/gm)];
  return blocks
    .flatMap(([, indent = '', block = '']) => parseAllDocuments(block.replaceAll(`\n${indent}`, '\n').trim()))
    .map((document) => document.toJS() as unknown)
    .filter((object) => (object as { kind?: string } | null)?.kind === 'VaultInjectionPolicy');
}

describe('the policies that the documentation shows', () => {
  const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root })];
  const found = pages.flatMap((page) => policiesIn(page).map((policy) => ({ page, policy })));

  it('are found', () => {
    expect(found.map(({ page }) => page)).to.include('docs/guides/migrate-from-bank-vaults.md');
  });

  for (const { page, policy } of found)
    it(`in ${page} compile`, () => {
      const checked = validate(policy);
      if (!checked.ok) throw new Error(checked.problems.join('; '));
      expect(compilePolicy(checked.policy, defaults)).to.have.property('ok', true);
    });
});
