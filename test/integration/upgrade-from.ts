/**
 * `make test-upgrade FROM=COMMIT`: two replicas of another commit, installed by its own kustomize, are upgraded to this one
 * under load, as docs/guides/upgrade.md says. Policies have Fail and Ignore; workloads under
 * Fail are updated and created all the time. Replicas run here, with the rights of the installation; what else a pod would
 * bring is not under test. The short version in `make test` is rolling-replicas.test.ts.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import type { KubernetesObject, Resource } from '../../core/object.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { createDeployments, loadTable, NAMESPACE, roll, type Scene } from '../chaos/rolling.ts';
import { startReplicas, type ReplicaSet } from '../chaos/replica-set.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { CHART, openHelm, RELEASE, type Helm } from '../support/helm.ts';
import { installDefault } from '../support/installed.ts';
import { eventually } from '../support/operator.ts';
import { buildOther, type OtherBuild } from '../support/other-build.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster, WRAPPER, type Live } from './cluster.ts';
import { deployment, policy } from './manifests.ts';
import { workload } from './workload-manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const { name: NAME, namespace: SYSTEM } = OPERATOR;
/** The last commit without a chart, and without an owner of the webhook configuration. */
const FROM = process.env.FROM === undefined || process.env.FROM === '' ? '2474992' : process.env.FROM;
const LABEL = 'app.kubernetes.io/name=vault-injection-operator';
const NAMESPACES = [NAMESPACE, 'calm'];
const UNTOUCHED = ['still-0', 'still-1', 'still-2'];
const LOAD = { rate: 20, clients: 1 };
const LAG_MS = 3_000;
// as shipped
const DRAIN = '15s';
const PATIENCE_MS = 120_000;

interface Configuration {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
}

let other: OtherBuild;
before(function () {
  this.timeout(BUILDING_MS);
  other = buildOther(FROM);
});
// it may have failed
after(() => (other as OtherBuild | undefined)?.remove());

describe(`an upgrade of two replicas from ${FROM}, under load`, function () {
  this.timeout(900_000);
  this.bail(true); // each step needs the ones before
  let plane: ControlPlane;
  let cluster: Cluster;
  let helm: Helm;
  let set: ReplicaSet;
  let scene: Scene;
  let isNew = false;
  /** By namespace/name: the template that admission by the old version made. */
  let asInjected: ReadonlyMap<string, string>;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    helm = await openHelm('helm4', plane.kubeconfig);
    const kubeconfig = await installDefault(plane, 'operator', other.root);
    set = await startReplicas({
      plane,
      count: 2,
      drain: DRAIN,
      lagMs: LAG_MS,
      bundled: true,
      dist: () => join(isNew ? ROOT : other.root, 'dist'),
      installed: { kubeconfig, service: NAME },
      flags: ['--certificate-wait', '1s'],
    });
    scene = { plane, ...LOAD, drain: DRAIN, lagMs: LAG_MS, set, close: () => set.close() };
    for (const namespace of NAMESPACES) {
      await cluster.namespace(namespace);
      const failurePolicy = namespace === NAMESPACE ? 'Fail' : 'Ignore';
      await eventually(
        'the policy',
        () => cluster.apply(policy(namespace, 'shop', { failurePolicy })).catch(() => undefined),
        PATIENCE_MS,
      );
      await cluster.policyIs(namespace, 'shop', 'Ready', 'True');
      await cluster.apply({
        apiVersion: 'v1',
        kind: 'List',
        items: UNTOUCHED.map((name) => deployment(namespace, name)),
      });
    }
    await createDeployments(cluster, NAMESPACE, { plane, ...LOAD });
    asInjected = await templates();
  });
  after(async () => {
    // before() may have failed
    await (set as ReplicaSet | undefined)?.close();
    (helm as Helm | undefined)?.close();
    await (plane as ControlPlane | undefined)?.stop();
  });

  /** All templates of workloads that were there before; each has been injected, once. */
  async function templates(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const namespace of NAMESPACES) {
      const text = await cluster.kubectl('get', 'deployments', '-n', namespace, '-l', 'app!=new', '-o', 'json');
      for (const { metadata, spec } of (JSON.parse(text) as { items: (Live & { metadata: { name: string } })[] })
        .items) {
        const [container] = spec.template.spec.containers;
        expect(container?.command, metadata.name).to.deep.equal([WRAPPER]);
        expect(container?.args, metadata.name).not.to.include(WRAPPER);
        // API servers count changes of a Deployment's annotations as well, which is what the load changes
        if (UNTOUCHED.includes(metadata.name)) expect(metadata.generation, metadata.name).to.equal(1);
        found.set(`${namespace}/${metadata.name}`, JSON.stringify(spec.template));
      }
    }
    return found;
  }

  /** One ReplicaSet each: none was rolled. */
  async function areNotRolled(): Promise<void> {
    expect(await templates()).to.deep.equal(asInjected);
    for (const namespace of NAMESPACES) {
      const sets = (
        await cluster.kubectl('get', 'replicasets', '-n', namespace, '-l', 'app!=new', '-o', 'name')
      ).trim();
      expect(sets.split('\n').length).to.equal(
        [...asInjected.keys()].filter((key) => key.startsWith(`${namespace}/`)).length,
      );
    }
  }

  const configuration = async (): Promise<Configuration> =>
    JSON.parse(await cluster.kubectl('get', 'mutatingwebhookconfiguration', NAME, '-o', 'json')) as Configuration;

  /** Replaces both replicas under load by those of this version, after `install`; nothing may be refused, or be stored bare. */
  async function replaceBy(what: string, install: () => Promise<void>): Promise<void> {
    isNew = true;
    const over = new AbortController();
    const creating = createUntil(over.signal);
    const result = await roll(scene, { rolls: 1, seconds: 5, what, first: install }).finally(() => over.abort());
    const { created, bare, refused } = await creating;
    process.stdout.write(
      `${loadTable([result])}\nbeside these, ${created} created, ${refused.length} refused, ${bare} bare\n`,
    );
    expect(result.failures.map(({ message }) => message)).to.deep.equal([]);
    expect(refused).to.deep.equal([]);
    expect([result.bare, bare, result.ended]).to.deep.equal([0, 0, 2]);
    expect([result.updates, created].every((count) => count > 0)).to.equal(true);
  }

  async function createUntil(signal: AbortSignal): Promise<{ created: number; bare: number; refused: string[] }> {
    const kubeConfig = loadKubeConfig({ file: plane.kubeconfig, context: '' });
    const client = new ApiClient({ kubeConfig, userAgent: 'creator/1' });
    const place: Resource = { group: 'apps', version: 'v1', plural: 'deployments', namespace: NAMESPACE };
    const result = { created: 0, bare: 0, refused: [] as string[] };
    while (!signal.aborted) {
      const object = deployment(NAMESPACE, 'new');
      Object.assign(object.metadata, { name: `new-${Date.now()}` });
      try {
        const stored = (await client.create(place, object as unknown as KubernetesObject)) as unknown as Live;
        result.created += 1;
        if (stored.spec.template.spec.containers[0]?.command?.[0] !== WRAPPER) result.bare += 1;
      } catch (error) {
        result.refused.push((error as Error).message);
      }
      await sleep(250);
    }
    await kubeConfig.close();
    return result;
  }

  /** As docs/guides/upgrade.md says: who applies another port does not own the one before, and both have one name. */
  const orphanPods = (): Promise<string> =>
    plane.kubectlOk(['delete', 'deployment', NAME, '-n', SYSTEM, '--cascade=orphan']);

  it('as it was installed: called by its Service, and no release of Helm', async () => {
    expect((await helm.ok(['list', '-A', '-q'])).trim()).to.equal('');
    await areNotRolled();
  });

  it('loses no review: Helm takes over what kustomize has installed, and replicas are replaced one by one', async () => {
    await replaceBy(`${other.name} to this, `, async () => {
      await orphanPods();
      await helm.ok(['install', RELEASE, CHART, '-n', SYSTEM, '--take-ownership', '--force-conflicts']);
      const notOfHelm = `${LABEL},app.kubernetes.io/managed-by!=Helm`;
      await plane.kubectlOk(['delete', 'configmap', '-n', SYSTEM, '-l', notOfHelm]);
    });
    await areNotRolled();
  });

  it('brings the webhook configuration up to date', async () => {
    await eventually(
      'the ClusterRole to own it',
      async () => {
        const owners = (await configuration()).metadata.ownerReferences ?? [];
        return owners.some(({ kind, name }) => kind === 'ClusterRole' && name === NAME) ? true : undefined;
      },
      PATIENCE_MS,
      async () => JSON.stringify(await configuration()),
    );
    expect((await configuration()).metadata.labels).to.include({ 'app.kubernetes.io/name': NAME });
    for (const namespace of NAMESPACES) await cluster.policyIs(namespace, 'shop', 'Ready', 'True');
    await areNotRolled();
  });
});

describe(`a policy that names a kind which ${FROM} does not know, while it and this version run`, function () {
  this.timeout(300_000);
  this.bail(true);
  let plane: ControlPlane;
  let cluster: Cluster;
  let set: ReplicaSet;
  let isNew = false;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    // an upgrade brings the CRD and the rights first
    const kubeconfig = await installDefault(plane, 'operator');
    set = await startReplicas({
      plane,
      count: 1,
      bundled: true,
      dist: () => join(isNew ? ROOT : other.root, 'dist'),
      installed: { kubeconfig, service: NAME },
      flags: ['--certificate-wait', '1s'],
    });
    isNew = true;
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop', { targets: ['Deployment'] }));
    await set.start();
  });
  after(async () => {
    await (set as ReplicaSet | undefined)?.close();
    await (plane as ControlPlane | undefined)?.stop();
  });

  const isCronJobInjected = async (): Promise<true | undefined> => {
    const text = await cluster.kubectl('get', 'cronjob', 'dump', '-n', 'shop', '-o', 'json');
    return text.includes(`"${WRAPPER}"`) ? true : undefined;
  };

  it('takes nothing from the kinds that it knows, and refuses none of the others', async () => {
    expect(set.replicas.map((replica) => replica.isLeader())).to.deep.equal([true, false]);
    await cluster.apply(policy('shop', 'shop', { targets: ['Deployment', 'CronJob'] }));
    await cluster.apply(workload('CronJob', { name: 'dump', namespace: 'shop' }));
    for (const name of ['one', 'two', 'three']) {
      await cluster.apply(deployment('shop', name));
      expect((await cluster.get('shop', name)).spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
    }
  });

  it('is in force once this version leads, also for what was created before', async () => {
    const [before] = set.replicas;
    if (before !== undefined) await set.terminate(before);
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
    await eventually('the CronJob to be injected', isCronJobInjected, PATIENCE_MS);
    await cluster.apply(workload('CronJob', { name: 'later', namespace: 'shop' }));
    expect(await cluster.kubectl('get', 'cronjob', 'later', '-n', 'shop', '-o', 'json')).to.contain(`"${WRAPPER}"`);
  });
});
