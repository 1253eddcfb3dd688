import { expect } from 'chai';

import { Rotation } from '../../../../operator/rotation/rotation.ts';
import type { VaultIdentity } from '../../../../operator/vault-identities.ts';
import { VaultFailure } from '../../../../operator/vault/metadata-port.ts';
import type { Use } from '../../../../core/workload/restarts.ts';
import { annotation } from '../../../../core/injection/annotations.ts';
import { CA } from '../../../support/example-ca.ts';
import { identityWith } from '../../../support/example-identity.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';
import { ruleOf } from '../../../support/example-policy.ts';
import { CANARIES, ScriptedVault } from './scripted-vault.ts';

const DB = 'secret/data/shop/db';
const DB_METADATA = 'secret/metadata/shop/db';
const API = 'secret/data/shop/api';
const SECOND = 1_000;
const ADDRESS = 'https://vault.vault.svc:8200';

const rotating = (vault: Readonly<Record<string, unknown>> = {}, entry = ''): ReturnType<typeof ruleOf> =>
  ruleOf({ rotation: { strategy: 'Restart', interval: '10s', vault: entry }, vault });

const use = (name: string, reads: readonly string[], versions?: object): Use => ({
  key: `shop/Deployment/${name}`,
  reads,
  startedWith: reads,
  annotations: versions === undefined ? {} : { [annotation.versions]: JSON.stringify(versions) },
});

describe('rotation', () => {
  let vault: ScriptedVault;
  let clock: ManualClock;
  let changed: string[];
  let rotation: Rotation;

  beforeEach(() => {
    vault = new ScriptedVault();
    vault.secrets.set(DB_METADATA, 4).set('secret/metadata/shop/api', 1);
    clock = new ManualClock();
    changed = [];
    become(identityWith({ address: ADDRESS }));
  });

  afterEach(() => rotation.stop());

  /** Begins again, with these entries in the settings. */
  function become(...identities: VaultIdentity[]): void {
    rotation = new Rotation({
      vaults: vault,
      jwt: () => Promise.resolve(CANARIES.jwt),
      identities,
      clock,
      random: () => 0.5,
      logger: testLog().logger,
    });
    rotation.onChange((policy) => changed.push(policy));
    rotation.start();
  }

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

  it('reports its condition as soon as it is switched on or off, even if nobody else has anything to say', () => {
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

  describe('logs in', () => {
    it('with what the entry says, whatever the policy says of its Vault besides', async () => {
      const identity = identityWith({
        address: 'https://10.0.0.7:8200',
        aliases: [ADDRESS],
        caBundle: 'PEM',
        role: 'r',
      });
      become({ ...identity, serverName: 'vault', mount: 'clusters/eu' });
      const tls = { caBundle: CA, serverName: 'theirs.example' };
      const auth = { method: 'JWT', mountPath: 'theirs', role: 'theirs' };
      rotation.want('shop/shop', rotating({ tls, auth, proxyURL: 'http://theirs:3128' }), [use('web', [DB])]);
      await settle();
      const target = { address: 'https://10.0.0.7:8200', caBundle: 'PEM', serverName: 'vault', namespace: '' };
      expect(vault.connected).to.deep.equal([target]);
      expect(vault.take('login')).to.deep.equal(['clusters/eu r']);
      expect(rotation.stateOf('shop/shop')).to.include({ reason: 'RotationActive' });
    });

    const ENTRIES = [
      identityWith({ address: ADDRESS, namespaces: ['shop', 'shop-*'] }),
      identityWith({ name: 'team', address: ADDRESS, namespace: 'team' }),
      identityWith({ name: 'bank', address: ADDRESS, namespaces: ['bank'], role: 'bank' }),
      identityWith({ name: 'twin', address: 'https://twin.example', role: 'first' }),
      identityWith({ name: 'twin-2', address: 'https://TWIN.example:443/', role: 'second' }),
    ];
    const refused: readonly [what: string, vault: object, entry: string, reason: string, message: RegExp][] = [
      [
        'an address of no entry',
        { address: 'https://evil.example' },
        '',
        'RotationVaultNotAllowed',
        /evil\.example is not/,
      ],
      [
        'a namespace of Vault of no entry',
        { namespace: 'other' },
        '',
        'RotationVaultNotAllowed',
        /the namespace other is/,
      ],
      ['by an entry that does not exist', {}, 'none', 'RotationVaultUnknown', /no entry none/],
      ['by an entry for others', {}, 'bank', 'RotationVaultUnknown', /has no entry bank for the namespace shop/],
      [
        'by an entry of another Vault',
        {},
        'twin',
        'RotationVaultDiffers',
        /entry twin .* another Vault than https:\/\/vault/,
      ],
      ['by one for another namespace of Vault', {}, 'team', 'RotationVaultDiffers', /entry team .* another Vault/],
      [
        'if it would have to choose',
        { address: 'https://twin.example' },
        '',
        'RotationVaultAmbiguous',
        /write one of twin, twin-2 in spec\.rotation\.vault/,
      ],
    ];
    for (const [what, spec, entry, reason, message] of refused) {
      it(`never at ${what}`, async () => {
        become(...ENTRIES);
        rotation.want('shop/shop', rotating({ ...spec }, entry), [use('web', [DB], { [DB]: 1 })]);
        await clock.advance(600 * SECOND);
        expect([vault.connected, vault.asked]).to.deep.equal([[], []]);
        expect(rotation.stateOf('shop/shop')).to.include({ status: 'False', reason });
        expect(rotation.stateOf('shop/shop')?.message).to.match(message);
        expect(rotation.wishesOf('shop/shop')).to.deep.equal([]);
      });
    }

    const allowed: readonly [policy: string, vault: object, entry: string, login: string][] = [
      ['shop/shop', {}, '', 'kubernetes operator'],
      ['shop-two/shop', {}, 'main', 'kubernetes operator'],
      ['bank/shop', {}, '', 'kubernetes bank'],
      ['shop/shop', { address: 'https://twin.example' }, 'twin-2', 'kubernetes second'],
      ['any/shop', { namespace: 'team' }, '', 'kubernetes operator'],
    ];
    for (const [policy, spec, entry, login] of allowed) {
      it(`for ${policy} with ${JSON.stringify(spec)} and the entry "${entry}": ${login}`, async () => {
        become(...ENTRIES);
        rotation.want(policy, rotating({ ...spec }, entry), [use('web', [DB])]);
        await settle();
        expect(vault.take('login')).to.deep.equal([login]);
      });
    }

    it('for nobody if the settings have no entry for the namespace', () => {
      become(identityWith({ address: ADDRESS, namespaces: ['bank'] }));
      rotation.want('shop/shop', rotating(), [use('web', [DB])]);
      expect(rotation.stateOf('shop/shop')).to.deep.equal({
        status: 'False',
        reason: 'RotationNamespaceNotAllowed',
        message: `every entry for ${ADDRESS} of the operator's setting vaultIdentities is for other namespaces than shop`,
      });
    });

    it('no longer, as soon as the policy goes elsewhere', async () => {
      rotation.want('shop/shop', rotating(), [use('web', [DB])]);
      await settle();
      rotation.want('shop/shop', rotating({ address: 'https://evil.example' }), [use('web', [DB])]);
      await settle();
      expect(vault.tokens).to.equal(0);
    });
  });

  describe('looks only at', () => {
    it('paths in the bounds of the entry for the namespace, and says which are not', async () => {
      become(identityWith({ address: ADDRESS, paths: ['secret/data/{namespace}/*', 'kv/data/common'] }));
      vault.secrets.set('kv/metadata/common', 1);
      const reads = [DB, 'secret/data/bank/db', 'secret/data/shop2/db', 'kv/data/common', 'kv/data/common2'];
      rotation.want('shop/shop', rotating(), [
        use('web', [...reads, '/secret/data/shop/../bank/db', 'kv/data//common']),
      ]);
      rotation.want('bank/bank', rotating(), [use('web', reads)]);
      await clock.advance(60 * SECOND);
      expect(new Set(vault.reads())).to.deep.equal(
        new Set([DB_METADATA, 'kv/metadata/common', 'secret/metadata/bank/db']),
      );
      expect(rotation.stateOf('shop/shop')).to.deep.equal({
        status: 'False',
        reason: 'RotationPathNotAllowed',
        message:
          "the entry main of the operator's setting vaultIdentities does not allow 3 paths: kv/data/common2, " +
          'secret/data/bank/db, secret/data/shop2/db; without versions: /secret/data/shop/../bank/db',
      });
      const [wish] = rotation.wishesOf('shop/shop');
      expect(Object.keys(wish?.versions ?? {})).to.have.members([DB, 'kv/data//common', 'kv/data/common']);
    });

    it('so many paths of a policy and no more, and says so', async () => {
      const reads = Array.from({ length: 2_100 }, (_, index) => `secret/data/shop/${index}`);
      rotation.want('shop/shop', rotating(), [use('web', reads)]);
      const asked = new Set<string>();
      for (let turn = 0; turn < 200; turn++) {
        await clock.advance(SECOND);
        for (const path of vault.reads()) asked.add(path);
      }
      expect(asked.size).to.equal(2_000);
      expect(rotation.stateOf('shop/shop')).to.deep.include({
        status: 'False',
        reason: 'RotationTooManyPaths',
        message: 'the workloads of the policy read 2100 secrets with versions, and 2000 are watched',
      });
    });

    it('what pods have started with, and tells no other workload', async () => {
      const idle: Use = { ...use('idle', [DB, API], { [DB]: 1 }), startedWith: [] };
      rotation.want('shop/shop', rotating(), [idle]);
      await clock.advance(60 * SECOND);
      expect([vault.asked, rotation.wishesOf('shop/shop')]).to.deep.equal([[], []]);
      const none = 'no injected workload with pods that have started reads a secret with versions';
      expect(rotation.stateOf('shop/shop')).to.deep.equal({
        status: 'True',
        reason: 'RotationIdle',
        message: `${none}; not checked for 1 workload without pods that have started`,
      });
      rotation.want('shop/shop', rotating(), [idle, use('web', [DB], { [DB]: 1 })]);
      await clock.advance(60 * SECOND);
      expect(new Set(vault.reads())).to.deep.equal(new Set([DB_METADATA]));
      expect(rotation.wishesOf('shop/shop').map(({ key }) => key)).to.deep.equal(['shop/Deployment/web']);
    });

    it('it no longer when the pods are gone, and keeps what it had noted for when they are back', async () => {
      const web = use('web', [DB, API], { [DB]: 4, [API]: 1 });
      expect(await restarts([web])).to.deep.equal([]);
      vault.reads();
      rotation.want('shop/shop', rotating(), [{ ...web, startedWith: [] }]);
      vault.secrets.set(DB_METADATA, 5);
      await clock.advance(600 * SECOND);
      expect([vault.reads(), rotation.wishesOf('shop/shop')]).to.deep.equal([[], []]);
      rotation.want('shop/shop', rotating(), [{ ...web, startedWith: [DB] }]);
      await clock.advance(10 * SECOND);
      expect(rotation.wishesOf('shop/shop')[0]).to.deep.include({ versions: { [DB]: 5, [API]: 1 } });
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
        'no injected workload with pods that have started reads a secret with versions',
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
