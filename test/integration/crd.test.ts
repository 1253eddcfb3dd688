import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parse } from 'yaml';
import { policyValidator } from '../../core/policy/schema.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { CommandResult, ControlPlane } from '../support/control-plane.ts';
import { has, needs } from '../support/kubernetes-versions.ts';
import { eventually, installPrerequisites } from '../support/operator.ts';
import { REFUSED } from '../support/policy-guide.ts';
import { BAD_POLICIES, GOOD_POLICIES, LARGEST_POLICY } from './policy-tables.ts';

const CRD_FILE = new URL('../../crds/vaultinjectionpolicies.yaml', import.meta.url);

describe('the CRD on a real API server', function () {
  this.timeout(30_000);
  let plane: ControlPlane;

  const manifest = (spec: object, name = 'test'): Record<string, unknown> => ({
    apiVersion: 'vaultinjection.dev/v1alpha1',
    kind: 'VaultInjectionPolicy',
    metadata: { name, namespace: 'default' },
    spec: { vault: { address: 'https://vault:8200' }, ...spec },
  });
  const kubectl = (args: string, object?: object): Promise<CommandResult> =>
    plane.kubectl(args.split(' '), object && JSON.stringify(object));
  const tryOut = (spec: object, args = ''): Promise<CommandResult> =>
    kubectl(`create --dry-run=server -o json${args} -f -`, manifest(spec));

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    await installPrerequisites(plane);
  });

  after(() => plane.stop());

  it('causes no warnings of the API server', async () => {
    const { code, stderr } = await kubectl('replace --dry-run=server -f ' + CRD_FILE.pathname);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  describe('refuses', () => {
    for (const { what, spec, field, says } of BAD_POLICIES)
      it(`${what}: ${says}`, async () => {
        const { code, stderr } = await tryOut(spec);
        expect(code).to.equal(1);
        const causes = causesOf(stderr);
        expect(causes, stderr).to.have.length(1);
        expect(causes[0]?.split(': ')[0]).to.equal(field);
        expect(causes[0]).to.contain(says);
      });

    for (const { what, spec, says } of REFUSED)
      it(`what docs/guides/write-a-policy.md says that it refuses: ${what}`, async () => {
        const { code, stderr } = await tryOut(spec);
        expect(code).to.equal(1);
        expect(stderr.replaceAll('\\"', '"')).to.contain(says);
      });

    it('fields that do not exist, unless told to drop them', async () => {
      const { stderr } = await tryOut({ vault: { address: 'https://vault', skipVerify: true } });
      expect(stderr).to.contain('unknown field "spec.vault.skipVerify"');
    });
  });

  describe('accepts', () => {
    for (const [what, spec] of Object.entries(GOOD_POLICIES))
      it(what, async () => {
        const { code, stderr } = await tryOut(spec);
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      });

    it('the largest policy that the limits allow, within the budget of its rules', async () => {
      const { code, stderr } = await tryOut(LARGEST_POLICY);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    });
  });

  describe('fills in defaults exactly as the validator of the operator does:', () => {
    const validate = policyValidator(parse(readFileSync(CRD_FILE, 'utf8')));
    const written: Readonly<Record<string, object>> = {
      ...GOOD_POLICIES,
      'an address alone': {},
      'fields with nothing after them': {
        process: null,
        inject: { when: null, containers: null },
        vault: { address: 'https://vault', auth: { role: null, method: null } },
      },
    };
    for (const [what, spec] of Object.entries(written))
      it(what, async () => {
        const { stdout } = await tryOut(spec, ' --validate=false');
        const checked = validate(manifest(spec));
        expect(checked).to.have.property('ok', true);
        expect((JSON.parse(stdout) as { spec: unknown }).spec).to.deep.equal(checked.ok && checked.policy.spec);
      });
  });

  it('drops fields that do not exist, at every level', async () => {
    const unknown = { extra: 1, vault: { address: 'https://vault', extra: 1, auth: { extra: { a: 1 } } } };
    const { stdout } = await tryOut(unknown, ' --validate=false');
    expect(stdout).to.contain('"address": "https://vault"').and.not.to.contain('extra');
  });

  describe('about plain http that was stored before it asked for consent', () => {
    const stored = { address: 'http://vault:8200', timeout: '5s' };
    const patched = (patch: object, ...args: string[]): Promise<CommandResult> =>
      plane.kubectl(['patch', 'vip', 'older', '--type=merge', '-p', JSON.stringify(patch), ...args]);

    before(async () => {
      const text = readFileSync(CRD_FILE, 'utf8');
      const asking =
        /^ +- rule: >-\n +!self\.address\.startsWith\('http:\/\/'\) \|\| \(has\(self\.allowPlaintext\)[^]*?fieldPath: \.address\n/m;
      expect(text).to.match(asking);
      await plane.kubectlOk(['replace', '-f', '-'], text.replace(asking, ''));
      await eventually('the earlier CRD', async () => (await tryOut({ vault: stored })).code === 0 || undefined);
      await plane.kubectlOk(['create', '-f', '-'], JSON.stringify(manifest({ vault: stored }, 'older')));
      await plane.kubectlOk(['replace', '-f', CRD_FILE.pathname]);
      await eventually('the CRD', async () => (await tryOut({ vault: stored })).code === 1 || undefined);
    });

    after(() => plane.kubectlOk(['delete', 'vip', 'older']));

    it('lets the rest of the policy and its status change', async () => {
      expect(await patched({ spec: { priority: 7 } })).to.include({ code: 0 });
      const { code, stderr } = await patched({ status: { reason: 'Active' } }, '--subresource=status');
      if (has('statusRatcheting')) expect({ code, stderr }).to.include({ code: 0 });
      else expect(stderr).to.contain('http sends tokens and secrets unencrypted');
    });

    it('asks with the next change of what is about Vault', async () => {
      const { code, stderr } = await patched({ spec: { vault: { timeout: '6s' } } });
      expect(code).to.equal(1);
      expect(stderr).to.contain('http sends tokens and secrets unencrypted');
      expect(await patched({ spec: { vault: { timeout: '6s', allowPlaintext: true } } })).to.include({ code: 0 });
    });
  });

  it('explains its fields', async () => {
    for (const [field, text] of [
      ['vip', 'decides which workloads of its namespace'],
      ['vip.spec.vault.auth.tokenExpiration', 'Lifetime of the projected token'],
      ['vip.spec.environment.fromPaths.prefix', 'Prefix of the variables, used as written'],
      ['vip.status.conditions.reason', 'The cause as one word, for machines'],
    ] as const) {
      const { stdout } = await kubectl(`explain ${field}`);
      expect(stdout.replaceAll(/\s+/g, ' '), field).to.contain(text);
    }
  });

  describe('is listed', () => {
    before(async () => {
      await kubectl(
        'apply -f -',
        manifest({ priority: 5, vault: { address: 'https://vault', auth: { role: 'shop' } } }),
      );
      const lastTransitionTime = '2026-01-01T00:00:00Z';
      const ready = { type: 'Ready', status: 'True', reason: 'Active', message: 'in force', lastTransitionTime };
      const states = { matched: 21, injected: 6, outdated: 5, missed: 4, denied: 3, failed: 2, excluded: 1 };
      const workloads = { ...states, problems: 9, conflicts: 1 };
      const table = { reason: 'Active', vault: 'Sealed' };
      const lastAppliedTime = new Date().toISOString();
      const status = { status: { observedGeneration: 1, ...table, conditions: [ready], workloads, lastAppliedTime } };
      const patch = ['patch', 'vip', 'test', '--subresource=status', '--type=merge', '-p', JSON.stringify(status)];
      await plane.kubectlOk(patch);
    });

    const rows = async (args: string): Promise<string[][]> => {
      const { stdout } = await kubectl(args);
      return stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s{2,}/));
    };

    it('with what matters most', async () => {
      const [header, row] = await rows('get vaultinjectionpolicies');
      expect(header).to.deep.equal([
        'NAME',
        'READY',
        'REASON',
        'VAULT',
        'MATCHED',
        'INJECTED',
        'OUTDATED',
        'PROBLEMS',
        'CONFLICTS',
        'LAST-APPLIED',
        'AGE',
      ]);
      expect(row?.slice(0, 9)).to.deep.equal(['test', 'True', 'Active', 'Sealed', '21', '6', '5', '9', '1']);
      expect(row?.[9]).to.match(/^\d+s$/);
    });

    it('with more on demand', async () => {
      const [header, row] = await rows('get vip -o wide');
      expect(header?.slice(11)).to.deep.equal([
        'ROLE',
        'MISSED',
        'DENIED',
        'FAILED',
        'ADDRESS',
        'MODE',
        'FAILURE-POLICY',
        'PRIORITY',
        'WHEN',
      ]);
      expect(row?.slice(11)).to.deep.equal([
        'shop',
        '4',
        '3',
        '2',
        'https://vault',
        'Exec',
        'Ignore',
        '5',
        'References',
      ]);
    });

    it('in the category vault', async () => {
      expect((await kubectl('get vault -o name')).stdout).to.contain('vaultinjectionpolicy.vaultinjection.dev/test');
    });

    it('by role', async function () {
      needs(this, 'selectableFields');
      const by = (role: string): Promise<CommandResult> =>
        kubectl(`get vip -o name --field-selector spec.vault.auth.role=${role}`);
      expect((await by('shop')).stdout).to.contain('/test');
      expect((await by('other')).stdout).to.equal('');
    });

    it('with a generation that status updates do not increase', async () => {
      const { stdout } = await kubectl('get vip test -o jsonpath={.metadata.generation}');
      expect(stdout).to.equal('1');
    });
  });
});

/** What `kubectl create` names as wrong, each as `field: complaint`. */
function causesOf(stderr: string): string[] {
  const [, said = ''] = stderr.trim().split(/ is invalid: ?\n?/);
  // where the schema alone refuses an object, the API server adds that it did not go on to the rules
  return said.split(/^\* /m).filter((cause) => cause !== '' && !cause.includes('rules were not checked'));
}
