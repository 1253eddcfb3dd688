import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { compilePolicy } from '../../core/policy/compile.ts';
import { mutateWorkload } from '../../core/injection/mutate.ts';
import { VAULT_ENV_LINKER } from '../../build/go-modules.ts';
import { goBuild } from '../../build/tools/go-build.ts';
import { admitted } from '../support/admitted.ts';
import { applyPatch } from '../support/apply-patch.ts';
import { container, containerOf, deployment } from '../support/example-workload.ts';
import { defaults, policyOf } from '../support/example-policy.ts';
import { knownSources, snapshotOf } from '../support/example-rule.ts';
import { GOOD_POLICIES } from './policy-tables.ts';

/** Fails if the keys change on one side and the other one rejects them. */
describe('the configuration that admission writes', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'config-contract-'));
  const executable = join(dir, 'vault-env');

  before(() =>
    goBuild(join(import.meta.dirname, '../../vault-env'), '.', executable, [`-ldflags=${VAULT_ENV_LINKER}`]),
  );
  after(() => rmSync(dir, { recursive: true }));

  // Their PEM is none, and their rules are out of force.
  const withoutRule = ['a comment before the PEM', 'suspended, with the lowest priority'];

  for (const [what, spec] of Object.entries(GOOD_POLICIES).filter(([name]) => !withoutRule.includes(name)))
    it(`is accepted by vault-env: ${what}`, () => {
      const compiled = compilePolicy(policyOf(spec), defaults);
      if (!compiled.ok || compiled.suspended) throw new Error('there is no rule');
      const selector = { matchLabels: {}, matchExpressions: [] };
      // Where nothing refers to Vault there is no login.
      const environment = { ...compiled.rule.environment, fromPaths: [] };
      const config = configOf({ ...compiled.rule, when: 'Always', selector, environment });
      const { status, stderr } = spawnSync(executable, ['true'], {
        env: { PATH: process.env.PATH, VAULT_ENV_CONFIG: config },
        encoding: 'utf8',
      });
      expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
    });

  describe('about CA bundles', () => {
    const address = 'https://127.0.0.1:1';
    // Without a token, it fails as soon as it has read the CA.
    const started = (config: string): { status: number | null; stderr: string } => {
      const env = { PATH: process.env.PATH, VAULT_ENV_CONFIG: config, X: 'vault:secret/data/a#b' };
      const { status, stderr } = spawnSync(executable, ['true'], { env, encoding: 'utf8' });
      return { status, stderr };
    };
    const NO_TOKEN = /the ServiceAccount token .* cannot be read/;
    const table = new URL('../../vault-env/testdata/certificates.json', import.meta.url);
    const cases = JSON.parse(readFileSync(table, 'utf8')) as readonly { name: string; text: string; fault?: string }[];

    for (const { name, text, fault } of cases)
      it(`agrees with vault-env: ${name}`, () => {
        const compiled = compilePolicy(policyOf({ vault: { address, tls: { caBundle: text } } }), defaults);
        // an empty one is none
        expect(compiled.ok).to.equal(fault === undefined || text === '');
        if (compiled.ok && !compiled.suspended) {
          const selector = { matchLabels: {}, matchExpressions: [] };
          expect(started(configOf({ ...compiled.rule, when: 'Always', selector })).stderr).to.match(NO_TOKEN);
        }
        // as the objects of caRef are mounted, with whatever is in them
        const caFile = join(dir, 'ca.crt');
        writeFileSync(caFile, text);
        const config = { vault: { address, auth: { role: 'shop' }, tls: { caFile } } };
        const { status, stderr } = started(JSON.stringify(config));
        expect(status).to.equal(78);
        expect(stderr).to.match(
          fault === undefined ? NO_TOKEN : /the CA file .* contains (no|a truncated|a) certificate/,
        );
      });
  });

  it('has what a ConfigMap gets afterwards stay text, and no write or other path asked for', () => {
    const address = 'https://127.0.0.1:1';
    const compiled = compilePolicy(policyOf({ vault: { address, timeout: '1s' } }), defaults);
    if (!compiled.ok || compiled.suspended) throw new Error('there is no rule');
    const rule = { ...compiled.rule, when: 'Always', selector: { matchLabels: {}, matchExpressions: [] } } as const;
    const env = [{ name: 'URL', value: 'postgres://$(HOST)' }];
    const envFrom = [{ configMapRef: { name: 'app' } }];
    const object = deployment({ containers: [container({ env, envFrom })] });
    const sources = knownSources({ 'ConfigMap app': { data: { HOST: '', DB: '' } } });
    const input = {
      kind: 'Deployment',
      namespace: 'shop',
      name: 'web',
      object,
      rules: snapshotOf(rule),
      sources,
    } as const;
    const after = applyPatch(object, mutateWorkload(input).patch) as typeof object;
    const { value = '' } = containerOf(after, 'app').env.at(-1) ?? {};
    const edited = {
      HOST: '${vault:secret/data/other#k}',
      URL: 'postgres://${vault:secret/data/other#k}',
      DB: 'vault:secret/data/other#k',
      NEW: '>>vault:secret/data/other#k#{"data":{}}',
    };
    const { status, stdout, stderr } = spawnSync(executable, ['env'], {
      env: { PATH: process.env.PATH, ...edited, VAULT_ENV_CONFIG: value.replaceAll('$$', () => '$') },
      encoding: 'utf8',
    });
    expect(status, stderr).to.equal(0);
    for (const [name, text] of Object.entries(edited)) expect(stdout).to.contain(`${name}=${text}\n`);
    expect(stderr).to.match(/^vault-env: warn: references stay text in HOST, URL, DB, NEW: [^\n]*\n$/);
  });

  function configOf(rule: Parameters<typeof admitted>[1]): string {
    const workload = deployment({ containers: [container({ env: undefined })] });
    const { value = '' } = containerOf(admitted(workload, rule), 'app').env.at(-1) ?? {};
    return value.replaceAll('$$', () => '$');
  }
});
