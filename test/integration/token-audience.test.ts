import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ApiClient } from '../../kube/api-client.ts';
import { systemClock } from '../../kube/clock.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { ApiAudiences } from '../../operator/composition/api-audiences.ts';
import { testLog } from '../support/test-log.ts';
import { VAULT_ENV_LINKER } from '../../build/go-modules.ts';
import { goBuild } from '../../build/tools/go-build.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { allowReading, createJwtRole, createRole, enableJwtAuth, enableKubernetesAuth } from '../support/vault.ts';
import { startVault, writeSecret, type Vault } from '../support/vault.ts';

const NAMESPACE = 'kube-system';
/** Issued before a policy was migrated: for the API server itself. */
const OLD = undefined;
const NEW = 'vault';

/** What docs/guides/token-audience.md promises: at each step, which tokens log in to which role of a real Vault. */
describe('the audience of tokens, and the roles of Vault', function () {
  this.timeout(60_000);
  const dir = mkdtempSync(join(tmpdir(), 'token-audience-'));
  const executable = join(dir, 'vault-env');
  let plane: ControlPlane;
  let vault: Vault;

  before(async function () {
    this.timeout(BUILDING_MS);
    await goBuild(join(import.meta.dirname, '../../vault-env'), '.', executable, [`-ldflags=${VAULT_ENV_LINKER}`]);
    plane = await startControlPlane({ controllers: false });
    await plane.kubectlOk(['create', 'serviceaccount', 'shop', '-n', NAMESPACE]);
    vault = await startVault();
    await enableKubernetesAuth(vault, plane);
    await enableJwtAuth(vault, plane);
    await allowReading(vault, 'shop', ['secret/data/shop/*']);
    await writeSecret(vault, 'secret/data/shop/db', { password: 'from-vault' });
  });

  after(async () => {
    await vault.stop();
    await plane.stop();
    rmSync(dir, { recursive: true });
  });

  async function token(audience: string | undefined): Promise<string> {
    const audiences = audience === undefined ? [] : [`--audience=${audience}`];
    return (await plane.kubectlOk(['create', 'token', 'shop', '-n', NAMESPACE, ...audiences])).trim();
  }

  /** Starts a program with a secret, as a container does; returns what came of it. */
  async function start(audience: string | undefined, auth: { role: string; method?: string }) {
    const tokenPath = join(dir, 'token');
    writeFileSync(tokenPath, await token(audience));
    const config = {
      vault: { address: vault.tlsAddress, timeout: '5s', tls: { caBundle: vault.caPem }, auth: { ...auth, tokenPath } },
    };
    const { stdout, stderr } = spawnSync(executable, ['sh', '-c', 'echo $DB_PASSWORD'], {
      env: {
        PATH: process.env.PATH,
        VAULT_ENV_CONFIG: JSON.stringify(config),
        DB_PASSWORD: 'vault:secret/data/shop/db#password',
      },
      encoding: 'utf8',
    });
    return stdout.trim() || stderr.trim();
  }

  it('fit before and after the change in a role of Kubernetes auth that names no audience', async () => {
    await createRole(vault, 'shop', { namespaces: [NAMESPACE], policies: ['shop'] });
    expect(await start(OLD, { role: 'shop' })).to.equal('from-vault');
    expect(await start(NEW, { role: 'shop' })).to.equal('from-vault');
  });

  it('no longer fit if they are for the API server, once the role names its audience', async () => {
    await createRole(vault, 'shop', { namespaces: [NAMESPACE], policies: ['shop'], audience: NEW });
    expect(await start(NEW, { role: 'shop' })).to.equal('from-vault');
    expect(await start(OLD, { role: 'shop' })).to.match(/check .* the audience.*"https:\/\//);
  });

  it('do not fit a role that names the audience of the API server, and the message says which one it needs', async () => {
    const [audience = ''] = audiencesOf(await token(OLD));
    await createRole(vault, 'narrow', { namespaces: [NAMESPACE], policies: ['shop'], audience });
    expect(await start(OLD, { role: 'narrow' })).to.equal('from-vault');
    expect(await start(NEW, { role: 'narrow' })).to.match(/check .* the audience.*"vault"/);
  });

  it('are the API server’s own if they are for its issuer, which an operator outside of the cluster asks for', async () => {
    const kubeConfig = loadKubeConfig({ file: plane.kubeconfig });
    const audiences = new ApiAudiences({
      kubeConfig,
      ...{ logger: testLog().logger, clock: systemClock, onChange: () => undefined },
      clientWithin: (timeoutMs) => new ApiClient({ kubeConfig, userAgent: 'test', timeoutMs }),
    });
    await audiences.start();
    await kubeConfig.close();
    expect(audiences.known).to.deep.equal(audiencesOf(await token(OLD)));
  });

  it('fit with JWT auth in one role, which may expect both', async () => {
    const own = audiencesOf(await token(OLD));
    expect(own).to.have.length.greaterThan(0);
    await createJwtRole(vault, 'shop', { policies: ['shop'], audiences: [...own, NEW] });
    expect(await start(OLD, { method: 'JWT', role: 'shop' })).to.equal('from-vault');
    expect(await start(NEW, { method: 'JWT', role: 'shop' })).to.equal('from-vault');
    await createJwtRole(vault, 'shop', { policies: ['shop'], audience: NEW });
    expect(await start(NEW, { method: 'JWT', role: 'shop' })).to.equal('from-vault');
    expect(await start(OLD, { method: 'JWT', role: 'shop' })).to.match(/and the audience, which is "https:\/\//);
  });
});

function audiencesOf(jwt: string): readonly string[] {
  const [, payload = ''] = jwt.split('.');
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { aud: readonly string[] }).aud;
}
