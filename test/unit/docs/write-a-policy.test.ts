import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { parse } from 'yaml';

import { compilePolicy } from '../../../core/policy/compile.ts';
import { mutate } from '../../support/admitted.ts';
import { crd, defaults, ruleOf, specSchema, validate } from '../../support/example-policy.ts';
import { GUIDE, REFUSED, REVIEWED, rowsOf } from '../../support/policy-guide.ts';

const root = new URL('../../../', import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), 'utf8');

describe('docs/guides/write-a-policy.md', () => {
  const blocks = Array.from(GUIDE.matchAll(/^```yaml\n([^]*?)^```$/gm), ([, text = '']) => parse(text) as object);

  it('has only policies and parts of such', () => {
    expect(blocks).to.have.length.above(8);
    for (const block of blocks) expect(block).to.have.property('spec');
  });

  for (const [index, block] of blocks.entries())
    it(`has a policy in block ${index + 1}, which is valid and compiles`, () => {
      const metadata = { name: 'shop', namespace: 'shop' };
      const whole = { apiVersion: 'vaultinjection.dev/v1alpha1', kind: 'VaultInjectionPolicy', metadata, ...block };
      const checked = validate(whole);
      if (!checked.ok) throw new Error(checked.problems.join('; '));
      expect(compilePolicy(checked.policy, defaults)).to.have.property('ok', true);
    });

  it('has mistakes in the policy, and between policy and workload', () => {
    expect(REFUSED).to.have.length.above(10);
    expect(REVIEWED).to.have.length.above(10);
  });

  const ofApiServer = /^(Unsupported value: |unknown field |in body should match )/;
  for (const { what, says } of REFUSED.filter((one) => !ofApiServer.test(one.says)))
    it(`quotes the CRD: ${what}`, () => {
      const messages: string[] = [];
      JSON.stringify(crd, (key, value: unknown) => {
        if (key === 'message' && typeof value === 'string') messages.push(value);
        return value;
      });
      expect(messages).to.include(says);
    });

  for (const { what, spec, annotations, password, says } of REVIEWED)
    it(`quotes admission: ${what}`, () => {
      const env = [{ name: 'DB_PASSWORD', value: password }];
      const template = { spec: { containers: [{ name: 'web', image: 'web:1', command: ['/web'], env }] } };
      const object = {
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'shop', annotations },
        spec: { template },
      };
      const { warnings, denial } = mutate(object, ruleOf(spec));
      if (says.startsWith('refused: ')) expect(`refused: ${denial?.message ?? ''}`).to.equal(says);
      else {
        expect(warnings).to.include(says);
        expect(denial).to.equal(undefined);
      }
    });

  it('names only fields that exist', () => {
    const short: Readonly<Record<string, string>> = { auth: 'vault.auth', tls: 'vault.tls' };
    const paths = Array.from(
      GUIDE.matchAll(/`((?:spec|inject|auth|tls|rollout|rotation|environment)\.[\w.]+)(?:`|: )/g),
    );
    expect(paths).to.have.length.above(5);
    for (const [, path = ''] of paths) {
      const [first = '', ...rest] = path.replace(/^spec\./, '').split('.');
      expect(specSchema([short[first] ?? first, ...rest].join('.')), path).to.be.an('object');
    }
  });

  it('names only reasons and columns that exist', () => {
    const reasons = textOf('docs/reference/reasons.md');
    const columns = new Set(
      Array.from(textOf('crds/vaultinjectionpolicies.yaml').matchAll(/- name: ([A-Z][\w-]+)$/gm), ([, name = '']) =>
        name.toUpperCase(),
      ),
    );
    const cells = rowsOf('Mistakes that show later').map(([cell = '']) => cell);
    expect(cells).to.have.length.above(5);
    const words = cells.flatMap((cell) => Array.from(cell.matchAll(/`([A-Z][A-Za-z-]+)`/g), ([, word = '']) => word));
    for (const word of words.filter((one) => !['OK', 'False'].includes(one)))
      if (word === word.toUpperCase()) expect([...columns]).to.include(word);
      else expect(reasons).to.match(new RegExp(`\`(Vault)?${word}\``));
  });

  it('quotes vault-env', () => {
    expect(GUIDE).to.contain('`Vault refused the login`');
    expect(textOf('vault-env/internal/login/login.go')).to.contain('Vault refused the login');
  });
});
