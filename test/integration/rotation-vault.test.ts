import { expect } from 'chai';
import { pino } from 'pino';

import { systemClock } from '../../kube/clock.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig, type PooledKubeConfig } from '../../kube/kube-config.ts';
import { accountToken } from '../../operator/rotation/account-token.ts';
import { Rotation } from '../../operator/rotation/rotation.ts';
import { NodeVaultMetadata } from '../../operator/vault/node-vault-metadata.ts';
import { annotation } from '../../core/injection/annotations.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';
import {
  createJwtRole,
  createRole,
  enableJwtAuth,
  enableKubernetesAuth,
  mountKvVersion1,
  startVault,
  writeSecret,
  type Vault,
} from '../support/vault.ts';
import { identityWith } from '../support/example-identity.ts';
import { layWire, type Wire } from '../support/wire.ts';
import { ruleOf } from '../support/example-policy.ts';

const NAMESPACE = 'vault-injection-system';
const NAME = 'vault-injection-operator';
const AUDIENCE = 'vault';
const POLICY = 'shop/shop';
const INTERVAL_MS = 500;
const DB = 'secret/data/shop/db';

// as docs/guides/rotation.md says it
const METADATA_ONLY = 'path "secret/metadata/*" { capabilities = ["read"] }';

describe('rotation, with a real Vault and tokens of a real API server', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let vault: Vault;
  let wire: Wire;
  let kubeConfig: PooledKubeConfig;
  let rotation: Rotation;
  let log: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    [plane, vault] = await Promise.all([startControlPlane({ controllers: false, scheduler: false }), startVault()]);
    wire = await layWire(vault.address);
    kubeConfig = loadKubeConfig({ file: plane.kubeconfig, context: '' });
    await plane.kubectlOk(['create', 'namespace', NAMESPACE]);
    await plane.kubectlOk(['create', 'serviceaccount', NAME, '-n', NAMESPACE]);
    await allow(METADATA_ONLY);
    await enableKubernetesAuth(vault, plane);
    await enableJwtAuth(vault, plane);
    const policies = [NAME];
    await createRole(vault, NAME, { serviceAccounts: [NAME], namespaces: [NAMESPACE], policies, audience: AUDIENCE });
    await createJwtRole(vault, NAME, { policies, audience: AUDIENCE });
  });
  after(async () => {
    await wire.cut();
    await kubeConfig.close();
    await Promise.all([vault.stop(), plane.stop()]);
  });

  beforeEach(async () => {
    log = '';
    await writeSecret(vault, DB, { password: 'canary-value' });
    const logger = pino({ level: 'debug' }, { write: (line) => void (log += line) });
    const client = new ApiClient({ kubeConfig, userAgent: NAME });
    const identity = { address: wire.address, role: NAME, audience: AUDIENCE, serviceAccount: NAME };
    rotation = new Rotation({
      vaults: new NodeVaultMetadata({ connections: 4 }),
      jwt: accountToken(client, NAMESPACE),
      identities: ['kubernetes', 'jwt', 'elsewhere'].map((mount) => identityWith({ ...identity, name: mount, mount })),
      clock: systemClock,
      random: Math.random,
      logger,
    });
    rotation.start();
  });
  afterEach(async () => {
    await rotation.stop();
    // neither a Vault token nor a ServiceAccount token nor a value, in whatever was logged
    expect(log).not.to.match(/hvs\.|eyJ|canary/);
  });

  const allow = (...lines: string[]): Promise<unknown> =>
    vault.api('PUT', `sys/policies/acl/${NAME}`, { policy: lines.join('\n') });

  const newest = async (path = 'shop/db'): Promise<number> => {
    const { data } = await vault.api('GET', `secret/metadata/${path}`);
    return (data as { current_version: number }).current_version;
  };

  function want(reads: readonly string[], versions: object, entry = 'kubernetes'): void {
    const rule = ruleOf({ vault: { address: wire.address, allowPlaintext: true } });
    const annotations = { [annotation.versions]: JSON.stringify(versions) };
    const uses = [{ key: 'shop/Deployment/web', reads, startedWith: reads, annotations }];
    rotation.want(POLICY, { ...rule, rotation: { strategy: 'Restart', intervalMs: INTERVAL_MS, vault: entry } }, uses);
  }

  const becomes = (reason: string): Promise<true> =>
    eventually(reason, () => (rotation.stateOf(POLICY)?.reason === reason ? true : undefined)).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}: ${JSON.stringify(rotation.stateOf(POLICY))}`);
      },
    );

  const wish = (): Promise<object> => eventually('a wish', () => rotation.wishesOf(POLICY)[0]);

  /** Long enough for some polls. */
  const intervals = (count: number): Promise<void> => systemClock.sleep(count * INTERVAL_MS);

  for (const method of ['Kubernetes', 'JWT']) {
    it(`logs in by ${method} auth as its ServiceAccount, and sees a new version`, async () => {
      const known = await newest();
      want([DB], { [DB]: known }, method.toLowerCase());
      await becomes('RotationActive');
      await intervals(2);
      expect(rotation.wishesOf(POLICY)).to.deep.equal([]);
      await writeSecret(vault, DB, { password: 'canary-value' });
      expect(await wish()).to.deep.include({ versions: { [DB]: known + 1 }, baselineOnly: false });
    });
  }

  it('gets a token that only reads versions, for one that the API server itself does not accept', async () => {
    const args = ['create', 'token', NAME, '-n', NAMESPACE, `--audience=${AUDIENCE}`];
    const jwt = (await plane.kubectlOk(args)).trim();
    const { auth } = await vault.api('POST', 'auth/kubernetes/login', { role: NAME, jwt }, '');
    const { client_token: token } = auth as { client_token: string };
    await vault.api('GET', 'secret/metadata/shop/db', undefined, token);
    for (const path of [DB, 'secret/metadata/shop?list=true', 'sys/mounts']) {
      const refusal: unknown = await vault.api('GET', path, undefined, token).catch((error: unknown) => error);
      expect(String(refusal)).to.contain('403');
    }
    const kubeconfig = plane.kubeconfigWithToken('operator-for-vault', jwt);
    const { code, stderr } = await plane.kubectl(['--kubeconfig', kubeconfig, 'get', 'namespaces']);
    expect(code).to.equal(1);
    expect(stderr).to.contain('Unauthorized');
  });

  it('revokes its token when it stops', async () => {
    const tokens = async (): Promise<number> => {
      const { data } = await vault.api('LIST', 'auth/token/accessors');
      return (data as { keys: string[] }).keys.length;
    };
    const before = await tokens();
    want([DB], {});
    await becomes('RotationActive');
    expect(await tokens()).to.equal(before + 1);
    await rotation.stop();
    expect(await tokens()).to.equal(before);
  });

  it('says what the role may not read, and reads it once the role may', async () => {
    await allow('path "secret/metadata/other/*" { capabilities = ["read"] }');
    want([DB], {});
    await becomes('RotationPathForbidden');
    await allow(METADATA_ONLY);
    await becomes('RotationActive');
    expect(log.match(/versions of secrets cannot be read/g)).to.equal(null);
  });

  it('restarts nothing for a deleted version, but does when it is undeleted', async () => {
    const known = await newest();
    want([DB], { [DB]: known });
    await becomes('RotationActive');
    await writeSecret(vault, DB, { password: 'canary-value' });
    await vault.api('DELETE', DB);
    await intervals(3);
    expect(rotation.wishesOf(POLICY)).to.deep.equal([]);
    await vault.api('POST', 'secret/undelete/shop/db', { versions: [known + 1] });
    expect(await wish()).to.deep.include({ versions: { [DB]: known + 1 } });
  });

  it('says which paths have no versions: KV version 1, other engines, and missing ones', async () => {
    await mountKvVersion1(vault, 'old');
    await vault.api('POST', 'old/shop', { password: 'canary-value' });
    want([DB, 'old/shop', 'database/creds/shop', 'secret/data/none'], {});
    await becomes('RotationActive');
    await eventually('everything to be asked', () =>
      /none/.exec(rotation.stateOf(POLICY)?.message ?? '') ? true : undefined,
    );
    expect(rotation.stateOf(POLICY)?.message).to.equal(
      '1 secret checked every 0.5 s; no such KV version 2 secret: secret/metadata/none; ' +
        'without versions: database/creds/shop, old/shop',
    );
  });

  it('restarts nothing while Vault is down, and sees what happened meanwhile when it is back', async () => {
    const known = await newest();
    want([DB], { [DB]: known });
    await becomes('RotationActive');
    await wire.cut();
    await becomes('RotationVaultAway');
    await intervals(10);
    expect(rotation.wishesOf(POLICY)).to.deep.equal([]);
    await writeSecret(vault, DB, { password: 'canary-value' });
    await wire.mend();
    expect(await wish()).to.deep.include({ versions: { [DB]: known + 1 } });
    expect(rotation.stateOf(POLICY)).to.include({ reason: 'RotationActive' });
  });

  it('says so if Vault rejects the log-in, or the API server issues no token', async () => {
    want([DB], {}, 'elsewhere');
    await becomes('RotationLoginRefused');
    await plane.kubectlOk(['delete', 'serviceaccount', NAME, '-n', NAMESPACE]);
    want([DB], {}, 'jwt');
    await becomes('RotationTokenRefused');
    await plane.kubectlOk(['create', 'serviceaccount', NAME, '-n', NAMESPACE]);
    await becomes('RotationActive');
  });
});
