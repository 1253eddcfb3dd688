import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import {
  allowRotation,
  enableKubernetesAuth,
  identityFlags,
  mountKvVersion1,
  OPERATOR,
  startVault,
  writeSecret,
  type Vault,
} from '../support/vault.ts';
import { pretendKubelet, type PretendedKubelet } from '../support/pretended-kubelet.ts';
import { layWire, type Wire } from '../support/wire.ts';
import { Cluster, type Live } from './cluster.ts';
import { container, deployment, policy, type Workload } from './manifests.ts';

const NAMESPACE = 'shop';
// The shortest that a policy may say. What is to be seen is seen within two of them.
const INTERVAL_MS = 5_000;
const PREFIX = 'vaultinjection.dev/';
const RESTART = `${PREFIX}restart`;
const VERSIONS = `${PREFIX}versions`;

const DB = 'secret/data/shop/db';
const API = 'secret/data/shop/api';

describe('new versions of secrets', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let vault: Vault;
  let wire: Wire;
  let operator: RunningOperator;
  let cluster: Cluster;
  let kubelet: PretendedKubelet | undefined;

  before(async function () {
    this.timeout(BUILDING_MS);
    [plane, vault] = await Promise.all([startControlPlane(), startVault()]);
    wire = await layWire(vault.tlsAddress);
    cluster = new Cluster(plane);
    await plane.kubectlOk(['apply', '-k', defaultConfig()]);
    await enableKubernetesAuth(vault, plane);
    await allowRotation(vault);
    await mountKvVersion1(vault, 'old');
    for (const path of [DB, API]) await writeSecret(vault, path, { password: 'canary-value' });
    await start();
    await cluster.namespace(NAMESPACE);
    const rotation = { strategy: 'Restart', interval: `${INTERVAL_MS / 1000}s` };
    const tls = { caRef: { kind: 'ConfigMap', name: 'vault-ca', key: 'ca.crt' } };
    const spec = { vault: { address: wire.address, tls, timeout: '1s' }, rotation, rollout: { maxConcurrent: 10 } };
    await cluster.kubectl('create', 'configmap', 'vault-ca', '-n', NAMESPACE, `--from-literal=ca.crt=${vault.caPem}`);
    await cluster.policy(policy(NAMESPACE, 'shop', spec));
    for (const manifest of Object.values(MANIFESTS)) await cluster.apply(manifest);
    kubelet = pretendKubelet(plane, NAMESPACE);
    await baselines();
  });
  after(async () => {
    await kubelet?.stop();
    await operator.stop();
    await wire.cut();
    await Promise.all([vault.stop(), plane.stop()]);
  });
  afterEach(() => {
    // neither tokens nor values
    expect(operator.log()).not.to.match(/hvs\.|eyJ|canary/);
  });

  /** With the rights that the manifests give it. */
  async function start(): Promise<void> {
    const token = await plane.kubectlOk(['create', 'token', OPERATOR.name, '-n', OPERATOR.namespace]);
    const kubeconfig = plane.kubeconfigWithToken('operator', token.trim());
    const flags = identityFlags({ ...vault, tlsAddress: wire.address });
    operator = await startOperator({ controlPlane: { ...plane, kubeconfig }, flags });
  }

  /** With one pod. */
  function reading(name: string, ...references: string[]): Workload {
    const env = references.map((value, index) => ({ name: `SECRET_${index}`, value }));
    const manifest = deployment(NAMESPACE, name, [container('app', { env })]);
    manifest.spec.replicas = 1;
    return manifest;
  }

  const MANIFESTS = {
    db: reading('db', `vault:${DB}#password`),
    both: reading('both', `vault:${DB}#password`, `postgres://shop:\${vault:${API}#password}@db`),
    api: reading('api', `vault:${API}#password`),
    pinned: reading('pinned', `vault:${DB}#password#1`),
    old: reading('old', 'vault:old/shop#password'),
  };
  type Name = keyof typeof MANIFESTS;
  const NAMES = Object.keys(MANIFESTS) as Name[];

  const get = (name: Name): Promise<Live> => cluster.get(NAMESPACE, name);
  const versionsOf = ({ metadata }: Live): unknown => JSON.parse(metadata.annotations?.[VERSIONS] ?? '{}');

  /** What the operator has written on it. */
  const ownOf = ({ metadata }: Live): Record<string, string> =>
    Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([name]) => name.startsWith(PREFIX)));

  /** Waits until the operator has noted for each workload the versions that it runs with. */
  async function baselines(): Promise<void> {
    for (const name of ['db', 'both', 'api'] as const) {
      await eventually(`a baseline of ${name}`, async () =>
        (await get(name)).metadata.annotations?.[VERSIONS] === undefined ? undefined : true,
      );
    }
  }

  /** What in the template restarts pods, by name. */
  async function templates(): Promise<Record<string, string>> {
    const entries = NAMES.map(async (name) => [name, await cluster.templateBytes(NAMESPACE, name)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  /** The workloads whose template is another one than before. */
  async function restarted(before: Record<string, string>): Promise<string[]> {
    const now = await templates();
    return NAMES.filter((name) => now[name] !== before[name]);
  }

  const wait = (intervals: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, intervals * INTERVAL_MS));

  /** `said`: reason and message, or how they begin. */
  const rotatingIs = (said: string): Promise<true> =>
    eventually(
      `Rotating to be ${said}`,
      async () => {
        const path = '{range .status.conditions[?(@.type=="Rotating")]}{.reason}: {.message}{end}';
        const now = await cluster.kubectl('get', 'vip', 'shop', '-n', NAMESPACE, '-o', `jsonpath=${path}`);
        return now.startsWith(said) ? true : undefined;
      },
      40_000,
    );

  it('are reported in the status, with what has none', async () => {
    // what it counts was not all there when it was written first; it is written again 10 s later at the soonest
    await rotatingIs('RotationActive: 2 secrets checked every 5 s; without versions: old/shop');
  });

  it('restart exactly the workloads that read them, within two intervals', async () => {
    const before = await templates();
    await writeSecret(vault, DB, { password: 'canary-value' });
    await wait(2);
    expect(await restarted(before)).to.deep.equal(['db', 'both']);
    const live = await get('both');
    expect(versionsOf(live)).to.deep.equal({ [DB]: 2, [API]: 1 });
    expect(live.spec.template.metadata.annotations?.[RESTART]).to.equal(live.metadata.annotations?.[RESTART]);
    const events = await eventually('an Event', async () => {
      const selector = '--field-selector=involvedObject.name=both,reason=RestartStarted';
      const found = await cluster.kubectl('get', 'events', '-n', NAMESPACE, selector, '-o', 'jsonpath={..message}');
      return found === '' ? undefined : found;
    });
    expect(events).to.equal(`restarting: ${DB} has version 2 (pods started with version 1) (policy shop)`);
  });

  it('restart them once: the next intervals change nothing', async () => {
    const before = await templates();
    await wait(2);
    expect(await restarted(before)).to.deep.equal([]);
  });

  it('restart nothing while Vault is down for ten intervals, nor when it is back', async function () {
    this.timeout(150_000);
    const before = await templates();
    await wire.cut();
    await rotatingIs('RotationVaultAway');
    await wait(10);
    expect(await restarted(before)).to.deep.equal([]);
    await wire.mend();
    await rotatingIs('RotationActive');
    await wait(1);
    expect(await restarted(before)).to.deep.equal([]);
  });

  it('are seen by an operator that was down when they were written', async () => {
    const before = await templates();
    await operator.stop();
    await writeSecret(vault, API, { password: 'canary-value' });
    await start();
    await eventually('the restarts', async () => ((await restarted(before)).length === 2 ? true : undefined), 30_000);
    expect(await restarted(before)).to.deep.equal(['both', 'api']);
  });

  describe('leave a restart in place when', () => {
    const manifest = MANIFESTS.db;
    const flags = ['--server-side', '--field-manager=gitops', '--force-conflicts'];

    it('another manager applies the manifest, which does not contain it, server-side', async () => {
      const before = await templates();
      const annotations = ownOf(await get('db'));
      expect(annotations[RESTART]).to.match(/^[0-9a-f]{12}$/);
      for (let time = 0; time < 3; time += 1) {
        expect(await cluster.apply(manifest, ...flags)).to.contain('serverside-applied');
        expect(await restarted(before)).to.deep.equal([]);
        expect(ownOf(await get('db'))).to.deep.equal(annotations);
      }
    });

    it('somebody applies the manifest as kubectl does it', async () => {
      const before = await templates();
      await cluster.apply(MANIFESTS.both);
      expect(await restarted(before)).to.deep.equal([]);
      expect(versionsOf(await get('both'))).to.deep.equal({ [DB]: 2, [API]: 2 });
    });
  });

  // a suite of its own: mocha runs the tests of a suite before those of suites in it
  describe('are not lost by kubectl replace', () => {
    it('which removes the annotations, so that pods restart once more', async () => {
      const before = await templates();
      await plane.kubectlOk(['replace', '-f', '-'], JSON.stringify(MANIFESTS.db));
      expect(await restarted(before)).to.deep.equal(['db']);
      const replaced = await get('db');
      expect(replaced.spec.template.metadata.annotations).not.to.have.property(RESTART);
      await baselines();
      const again = await templates();
      expect(versionsOf(await get('db'))).to.deep.equal({ [DB]: 2 });
      await wait(1);
      expect(await restarted(again)).to.deep.equal([]);
    });
  });
});
