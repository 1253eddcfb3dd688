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

describe('docs/guides/my-pod-does-not-start.md', () => {
  const page = readFileSync(new URL('docs/guides/my-pod-does-not-start.md', root), 'utf8');
  const source = readFileSync(new URL('vault-env/internal/failure/failure.go', root), 'utf8');
  const statuses = [...source.matchAll(/^\t[A-Z]\w+ +=\s+(\d+)/gm)].map(([, status]) => status);

  it('has a row for each exit status of vault-env', () => {
    expect(statuses).to.include.members(['64', '69', '127']);
    const rows = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, status]) => status);
    expect(rows).to.have.members(statuses);
  });

  it('names only reasons, columns and fields that exist', () => {
    const crd = readFileSync(new URL('crds/vaultinjectionpolicies.yaml', root), 'utf8');
    const reasons = readFileSync(new URL('docs/reference/reasons.md', root), 'utf8');
    const named = [...page.matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`/g)].map(([, word = '']) => word);
    const ofKubernetes = ['CrashLoopBackOff', 'FailedMount', 'FailedCreate'];
    // the column VAULT shows the reason VaultNameUnknown as NameUnknown
    for (const word of named.filter((one) => !ofKubernetes.includes(one)))
      expect(reasons).to.match(new RegExp(`\`(Vault)?${word}\``));
    for (const [, path = ''] of page.matchAll(/`spec\.([\w.]+)`/g))
      for (const field of path.split('.')) expect(crd, `spec.${path}`).to.match(new RegExp(`\\b${field}:`));
  });
});
