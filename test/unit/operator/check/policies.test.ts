import { expect } from 'chai';

import { kindsWith, PRESETS } from '../../../../core/added-kinds.ts';
import { KINDS } from '../../../../core/kinds.ts';
import type { Kinds } from '../../../../core/kinds.ts';
import { DEFAULTS } from '../../../../core/policy/policy.generated.ts';
import { healthFindings, policyFindings, readyTargets, vaultFindings } from '../../../../operator/check/policies.ts';
import type { Policy } from '../../../../operator/check/policies.ts';
import type { VaultHealth, VaultTarget } from '../../../../operator/vault/vault-port.ts';
import { CA } from '../../../support/example-ca.ts';
import { crd, manifest, type Written } from '../../../support/example-policy.ts';

type Said = Readonly<Record<string, readonly [status: string, reason: string, message: string]>>;

/** A policy of the name, with these conditions; without: one that nobody has looked at. */
function policy(name: string, said: Said = {}, written: Written = {}): Policy {
  const lastTransitionTime = '2026-01-02T03:04:05Z';
  const conditions = Object.entries(said).map(([type, [status, reason, message]]) => {
    return { type, status, reason, message, lastTransitionTime };
  });
  const [namespace = '', bare = ''] = name.split('/');
  const object = manifest({ ...written, metadata: { namespace, name: bare } }) as unknown as Policy;
  return conditions.length === 0 ? object : ({ ...object, status: { conditions } } as unknown as Policy);
}

const READY: Said = { Ready: ['True', 'Active', 'in force'] };
const texts = (findings: readonly { level: string; message: string }[]): string[] =>
  findings.map(({ level, message }) => `${level} ${message}`);

describe('what check says of policies', () => {
  it('is one line if all are in force or suspended on purpose', () => {
    const suspended: Said = { Ready: ['False', 'Suspended', 'nothing is injected'] };
    expect(texts(policyFindings([policy('a/a', READY), policy('a/b', suspended)]))).to.deep.equal([
      'Ok 2 policies, all in force or suspended',
    ]);
    expect(policyFindings([])[0]?.level).to.equal('Ok');
  });

  it('is a warning for each that is not, with its reason', () => {
    const invalid: Said = { Ready: ['False', 'DurationInvalid', 'write a duration'] };
    expect(texts(policyFindings([policy('a/a', READY), policy('a/b', invalid), policy('a/c')]))).to.deep.equal([
      'Warning a/b is not in force: DurationInvalid: write a duration',
      'Warning a/c has no status',
    ]);
  });

  it('is bounded, and says how many more there are', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => policy(`a/p${index}`));
    const findings = policyFindings(many);
    expect(findings).to.have.length(21);
    expect(findings.at(-1)).to.include({ level: 'Warning', message: '980 more policies are not in force' });
  });
});

describe('the kinds that check asks the webhook configuration for', () => {
  it('are those that ready policies name, with those of the setting templates', () => {
    const table = kindsWith(PRESETS.ArgoRollout === undefined ? [] : [PRESETS.ArgoRollout]);
    const targets = ['Deployment', 'Rollout.argoproj.io', 'Rollout.example.com'];
    const policies = [policy('shop/a', READY, { targets }), policy('bank/a', {}, { targets }), policy('till/a', READY)];
    const of = (kinds: Kinds): unknown =>
      [...readyTargets(policies, kinds)].map(([name, all]) => [name, [...all].sort()]);
    const byDefault = ['till', [...DEFAULTS.targets].sort()];
    expect(of(KINDS)).to.deep.equal([['shop', ['Deployment']], byDefault]);
    expect(of(table)).to.deep.equal([['shop', ['Deployment', 'Rollout.argoproj.io']], byDefault]);
  });
});

describe('what check says of Vaults', () => {
  describe('for a person', () => {
    const sealed: Said = { ...READY, VaultReachable: ['False', 'VaultSealed', 'Vault at v:8200 is sealed'] };
    const unasked: Said = { ...READY, VaultReachable: ['Unknown', 'VaultNotChecked', 'not checked'] };
    const fine: Said = { ...READY, VaultReachable: ['True', 'VaultReachable', 'answers'] };

    it('is what the operator says, once for all policies that say the same', () => {
      const all = [policy('a/a', sealed), policy('a/b', sealed), policy('b/c', unasked), policy('b/d', fine)];
      expect(texts(healthFindings(all))).to.deep.equal([
        'Failed Vault at v:8200 is sealed (a/a)',
        'Warning not checked (b/c)',
      ]);
    });

    it('is that none fails, and for how many that is known', () => {
      expect(texts(healthFindings([policy('a/a', fine), policy('a/b')]))).to.deep.equal([
        'Ok the operator reaches the Vaults of 1 of 2 policies, and knows of none that fails',
      ]);
    });
  });

  describe('as the operator', () => {
    const asked: VaultTarget[] = [];
    const healths = new Map<string, VaultHealth>();
    const configMaps = new Map<string, object>();
    const options = {
      client: {
        get: <T>(_resource: unknown, name: string) => Promise.resolve(configMaps.get(name) as T | undefined),
      },
      vault: {
        health: (target: VaultTarget): Promise<VaultHealth> => {
          asked.push(target);
          const up = { status: 'True', reason: 'VaultReachable', message: `${target.address} answers` } as const;
          return Promise.resolve(healths.get(target.address) ?? up);
        },
      },
      crd,
      injectorImage: '',
    };
    const at = (name: string, vault: Written['vault'] = {}): Policy => policy(name, READY, { vault });
    beforeEach(() => {
      asked.length = 0;
      healths.clear();
      configMaps.clear();
    });

    it('asks each distinct Vault once', async () => {
      const one = { address: 'https://one:8200' };
      const all = [at('a/a', one), at('a/b', one), at('b/c', { address: 'https://two:8200' })];
      expect(texts(await vaultFindings(all, options))).to.deep.equal([
        'Ok https://one:8200 answers (a/a, a/b)',
        'Ok https://two:8200 answers (b/c)',
      ]);
      expect(asked).to.have.length(2);
    });

    it('tells only of those that do not answer, if there are such', async () => {
      healths.set('https://two:8200', { status: 'False', reason: 'VaultSealed', message: 'it is sealed' });
      const all = [at('a/a', { address: 'https://one:8200' }), at('b/c', { address: 'https://two:8200' })];
      expect(texts(await vaultFindings(all, options))).to.deep.equal(['Failed it is sealed (b/c)']);
    });

    it('trusts what the policy refers to in its namespace, or says what is missing there', async () => {
      const tls = { caRef: { kind: 'ConfigMap', name: 'vault-ca', key: 'ca.crt' } };
      const [missing] = await vaultFindings([at('a/a', { tls })], options);
      expect(missing?.level).to.equal('Failed');
      expect(missing?.message).to.match(/^ConfigMap vault-ca .* does not exist: create it \(a\/a\)$/);
      configMaps.set('vault-ca', { data: { 'ca.crt': CA } });
      expect((await vaultFindings([at('a/a', { tls })], options))[0]?.level).to.equal('Ok');
      expect(asked.map(({ caBundle }) => caBundle)).to.deep.equal([CA]);
    });

    it('asks none of a policy that is suspended or cannot be used', async () => {
      const all = [policy('a/a', {}, { suspend: true }), policy('a/b', {}, { vault: { address: 'nonsense' } })];
      expect(texts(await vaultFindings(all, options))).to.deep.equal(['Ok no policy names a Vault']);
      expect(asked).to.deep.equal([]);
    });

    it('is bounded, the worst first', async () => {
      const all = Array.from({ length: 60 }, (_, index) => at(`a/p${index}`, { address: `https://v${index}:8200` }));
      for (let index = 0; index < 60; index++) {
        const status = index < 50 ? 'Unknown' : 'False';
        healths.set(`https://v${index}:8200`, { status, reason: 'VaultNotChecked', message: `v${index}` });
      }
      const findings = await vaultFindings(all, options);
      expect(findings.map(({ level }) => level)).to.deep.equal([
        ...Array.from({ length: 10 }, () => 'Failed'),
        ...Array.from({ length: 11 }, () => 'Warning'),
      ]);
      expect(findings.at(-1)?.message).to.equal('40 more Vaults do not answer');
    });
  });
});
