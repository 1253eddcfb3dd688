import { expect } from 'chai';

import { allowedVaults } from '../../../../operator/rotation/allowed-vaults.ts';
import { Rotation } from '../../../../operator/rotation/rotation.ts';
import type { Authority } from '../../../../operator/vault/authorities.ts';
import { VaultFailure } from '../../../../operator/vault/metadata-port.ts';
import type { Use } from '../../../../core/workload/restarts.ts';
import { annotation } from '../../../../core/injection/annotations.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';
import { ruleOf } from '../../../support/example-policy.ts';
import { CANARIES, ScriptedVault } from './scripted-vault.ts';

const DB = 'secret/data/shop/db';
const DB_METADATA = 'secret/metadata/shop/db';
const API = 'secret/data/shop/api';
const SECOND = 1_000;
const ADDRESS = 'https://vault.vault.svc:8200';

const rotating = (vault: Readonly<Record<string, unknown>> = {}, interval = '10s'): ReturnType<typeof ruleOf> =>
  ruleOf({ rotation: { strategy: 'Restart', interval }, vault });

const use = (name: string, reads: readonly string[], versions?: object): Use => ({
  key: `shop/Deployment/${name}`,
  reads,
  annotations: versions === undefined ? {} : { [annotation.versions]: JSON.stringify(versions) },
});

describe('rotation', () => {
  let vault: ScriptedVault;
  let clock: ManualClock;
  let changed: string[];
  let authority: Authority | undefined;
  let rotation: Rotation;

  beforeEach(() => {
    vault = new ScriptedVault();
    vault.secrets.set(DB_METADATA, 4).set('secret/metadata/shop/api', 1);
    clock = new ManualClock();
    changed = [];
    authority = undefined;
    rotation = new Rotation({
      vaults: vault,
      jwt: () => Promise.resolve(CANARIES.jwt),
      role: 'operator',
      mountPath: 'clusters/own',
      isAllowed: allowedVaults(ADDRESS),
      authorityOf: () => authority,
      clock,
      random: () => 0.5,
      logger: testLog().logger,
    });
    rotation.onChange((policy) => changed.push(policy));
    rotation.start();
  });

  afterEach(() => rotation.stop());

  /** The workloads that would be restarted now, after `uses` was told and Vault asked. */
  async function restarts(uses: readonly Use[]): Promise<string[]> {
    rotation.want('shop/shop', rotating(), uses);
    await clock.advance(10 * SECOND);
    return rotation
      .wishesOf('shop/shop')
      .filter(({ baselineOnly }) => !baselineOnly)
      .map(({ key }) => key);
  }

  it('restarts exactly the workloads whose secrets have a newer version than they were started for', async () => {
    const uses = [
      use('old', [DB], { [DB]: 3 }),
      use('current', [DB], { [DB]: 4 }),
      use('other', [API], { [API]: 1 }),
      use('pinned', []),
    ];
    expect(await restarts(uses)).to.deep.equal(['shop/Deployment/old']);
    vault.secrets.set('secret/metadata/shop/api', 2);
    expect(await restarts(uses)).to.deep.equal(['shop/Deployment/old', 'shop/Deployment/other']);
  });

  it('writes a baseline first, and reports that there is something to do', async () => {
    rotation.want('shop/shop', rotating(), [use('web', [DB])]);
    changed.length = 0;
    await settle();
    expect(changed).to.deep.equal(['shop/shop']);
    const [wish, ...more] = rotation.wishesOf('shop/shop');
    expect(more).to.deep.equal([]);
    expect(wish).to.deep.include({ key: 'shop/Deployment/web', versions: { [DB]: 4 }, baselineOnly: true });
  });

  it('reports its condition as soon as it is switched on or off, whoever else has nothing to say', () => {
    const elsewhere = rotating({ address: 'https://other.vault.svc:8200' });
    const steps: [ReturnType<typeof rotating> | undefined, readonly Use[], reported: number][] = [
      [elsewhere, [], 1], // RotationVaultNotAllowed
      [elsewhere, [], 0],
      [rotating(), [], 1], // RotationIdle
      [rotating(), [use('web', [DB])], 1], // RotationPending
      [rotating(), [use('web', [DB])], 0],
      [undefined, [], 1],
      [undefined, [], 0],
    ];
    for (const [rule, uses, reported] of steps) {
      changed.length = 0;
      rotation.want('shop/shop', rule, uses);
      expect(changed).to.deep.equal(Array(reported).fill('shop/shop'));
    }
  });

  it('loses nothing by a stop: the annotations have what it has to know', async () => {
    const uses = [use('web', [DB], { [DB]: 4 })];
    expect(await restarts(uses)).to.deep.equal([]);
    await rotation.stop();
    vault.secrets.set(DB_METADATA, 5);
    await clock.advance(600 * SECOND);
    expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
    rotation.start();
    await settle();
    expect(rotation.wishesOf('shop/shop')).to.have.length(1);
  });

  it('restarts nothing while Vault is down for ten intervals, nor when it is back', async () => {
    const uses = [use('web', [DB], { [DB]: 4 }), use('api', [API], { [API]: 1 })];
    expect(await restarts(uses)).to.deep.equal([]);
    vault.goAway();
    for (let interval = 0; interval < 10; interval += 1) {
      expect(await restarts(uses)).to.deep.equal([]);
      expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
    }
    expect(rotation.stateOf('shop/shop')).to.include({ status: 'Unknown', reason: 'RotationVaultAway' });
    vault.failure = undefined;
    await clock.advance(60 * SECOND);
    expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
    expect(rotation.stateOf('shop/shop')).to.include({ status: 'True', reason: 'RotationActive' });
  });

  for (const [what, answer] of Object.entries({
    'deleted its newest version': { kind: 'Deleted' },
    'lost the secret': { kind: 'Missing' },
    'refuses its metadata': { kind: 'Forbidden' },
    'says nonsense of it': { kind: 'Unexpected', status: 500 },
    'made it anew from version 1': { kind: 'Version', version: 1 },
  } as const)) {
    it(`restarts nothing if Vault has ${what}`, async () => {
      vault.secrets.set(DB_METADATA, answer);
      expect(await restarts([use('web', [DB], { [DB]: 3 })])).to.deep.equal([]);
      expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
    });
  }

  it('restarts nothing when another Vault is in its place, which knows neither its token nor the old versions', async () => {
    const uses = [use('web', [DB], { [DB]: 4 })];
    expect(await restarts(uses)).to.deep.equal([]);
    vault.forgetTokens();
    vault.secrets.set(DB_METADATA, 1);
    for (let minute = 0; minute < 10; minute += 1) expect(await restarts(uses)).to.deep.equal([]);
    expect(rotation.stateOf('shop/shop')).to.include({ status: 'True', reason: 'RotationActive' });
    expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
  });

  it('withdraws a wish when its version is deleted before anything was restarted', async () => {
    const uses = [use('web', [DB], { [DB]: 3 })];
    expect(await restarts(uses)).to.have.length(1);
    vault.secrets.set(DB_METADATA, { kind: 'Deleted' });
    expect(await restarts(uses)).to.deep.equal([]);
  });

  it('shares polls among policies, and makes none for a policy that is gone or no longer rotates', async () => {
    rotation.want('shop/a', rotating(), [use('web', [DB])]);
    rotation.want('shop/b', rotating(), [use('api', [DB])]);
    await settle();
    expect(vault.reads()).to.deep.equal([DB_METADATA]);
    rotation.want('shop/a', undefined, []);
    rotation.want('shop/b', ruleOf(), [use('api', [DB])]);
    await clock.advance(600 * SECOND);
    expect(vault.reads()).to.deep.equal([]);
    expect([rotation.wishesOf('shop/b'), rotation.stateOf('shop/b')]).to.deep.equal([[], undefined]);
    expect(vault.tokens).to.equal(0);
  });

  describe('where it logs in', () => {
    const cases: readonly [auth: object, mountPath: string][] = [
      [{ method: 'Kubernetes' }, 'kubernetes'],
      [{ method: 'JWT', mountPath: 'clusters/eu' }, 'clusters/eu'],
      [{ method: 'AppRole', secretRef: { name: 's' } }, 'clusters/own'],
    ];
    for (const [auth, mountPath] of cases) {
      it(`for ${JSON.stringify(auth)}: ${mountPath}, as its own role`, async () => {
        rotation.want('shop/shop', rotating({ auth }), [use('web', [DB])]);
        await settle();
        expect(vault.take('login')).to.deep.equal([`${mountPath} operator`]);
      });
    }

    const refused: readonly [what: string, vault: Readonly<Record<string, unknown>>, reason: string][] = [
      ['an address that the settings do not name', { address: 'https://evil.example' }, 'RotationVaultNotAllowed'],
      ['a namespace of Vault that they do not name', { namespace: 'team' }, 'RotationVaultNotAllowed'],
    ];
    for (const [what, spec, reason] of refused) {
      it(`never at ${what}`, async () => {
        rotation.want('shop/shop', rotating(spec), [use('web', [DB], { [DB]: 1 })]);
        await clock.advance(600 * SECOND);
        expect([vault.connected, vault.asked]).to.deep.equal([[], []]);
        expect(rotation.stateOf('shop/shop')).to.include({ status: 'False', reason });
        expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
      });
    }

    it('never by an authority that cannot be read, and by the one that is in the object when it is', async () => {
      const tls = { caRef: { kind: 'ConfigMap', name: 'ca', key: 'ca.crt' } };
      rotation.want('shop/shop', rotating({ tls }), [use('web', [DB])]);
      expect(rotation.stateOf('shop/shop')).to.include({ status: 'Unknown', reason: 'RotationPending' });
      changed.length = 0;
      authority = { unread: 'there is no ConfigMap ca' };
      rotation.authorityChanged('shop/shop');
      await clock.advance(600 * SECOND);
      expect([vault.connected, vault.asked]).to.deep.equal([[], []]);
      expect(rotation.stateOf('shop/shop')).to.deep.equal({
        status: 'False',
        reason: 'RotationAuthorityUnread',
        message: 'there is no ConfigMap ca',
      });
      expect(changed).to.deep.equal(['shop/shop']);
      authority = { caBundle: 'PEM' };
      rotation.authorityChanged('bank/shop');
      expect(changed, 'another namespace has another').to.deep.equal(['shop/shop']);
      rotation.authorityChanged('shop/shop');
      await settle();
      expect(vault.connected.map(({ caBundle }) => caBundle)).to.deep.equal(['PEM']);
      expect(rotation.stateOf('shop/shop')).to.include({ reason: 'RotationActive' });
    });

    it('no longer, as soon as the policy goes elsewhere', async () => {
      rotation.want('shop/shop', rotating(), [use('web', [DB])]);
      await settle();
      rotation.want('shop/shop', rotating({ address: 'https://evil.example' }), [use('web', [DB])]);
      await settle();
      expect(vault.tokens).to.equal(0);
    });
  });

  describe('says in the condition Rotating', () => {
    const stateOf = async (reads: readonly string[]): Promise<[string, string, string]> => {
      rotation.want('shop/shop', rotating(), [use('web', reads)]);
      await clock.advance(10 * SECOND);
      const { status = '', reason = '', message = '' } = rotation.stateOf('shop/shop') ?? {};
      return [status, reason, message];
    };

    it('what is polled, and what has no versions', async () => {
      expect(
        await stateOf([DB, 'secret/data/none', 'kv/old', 'database/creds/shop', 'pki/issue/shop', 'kv/z']),
      ).to.deep.equal([
        'True',
        'RotationActive',
        '1 secret checked every 10 s; no such KV version 2 secret: secret/metadata/none; ' +
          'without versions: database/creds/shop, kv/old, kv/z and 1 more',
      ]);
    });

    it('that there is nothing to poll', async () => {
      expect(await stateOf([])).to.deep.equal([
        'True',
        'RotationIdle',
        'no injected workload reads a secret with versions',
      ]);
      expect(vault.asked).to.deep.equal([]);
    });

    it('that Vault has not been asked yet', async () => {
      await rotation.stop();
      expect((await stateOf([DB])).slice(0, 2)).to.deep.equal(['Unknown', 'RotationPending']);
    });

    it('what the role may not read', async () => {
      vault.secrets.set(DB_METADATA, { kind: 'Forbidden' });
      expect(await stateOf([DB, API])).to.deep.equal([
        'False',
        'RotationPathForbidden',
        'the operator\'s role may not read secret/metadata/shop/db; grant it the capability "read" there',
      ]);
    });

    it('what is not metadata', async () => {
      vault.secrets.set(DB_METADATA, { kind: 'Unexpected', status: 500 });
      expect((await stateOf([DB])).slice(0, 2)).to.deep.equal(['False', 'RotationAnswerUnexpected']);
    });

    for (const [kind, status, reason] of [
      ['Away', 'Unknown', 'RotationVaultAway'],
      ['LoginRefused', 'False', 'RotationLoginRefused'],
      ['NoToken', 'False', 'RotationTokenRefused'],
    ] as const) {
      it(`what keeps it from asking: ${reason}`, async () => {
        vault.loginFailure = new VaultFailure(kind, 'because');
        expect(await stateOf([DB])).to.deep.equal([
          status,
          reason,
          'because; until this is fixed, nothing is restarted',
        ]);
      });
    }
  });
});
