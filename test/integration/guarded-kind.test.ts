/**
 * A kind of the setting templates of which config/guard was not told, with the rights and the guard-rails of
 * config/default: what a tenant names in a policy must not keep the webhook configuration from everybody else.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { stringify } from 'yaml';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { installDefault } from '../support/installed.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { crdOf, templateRow } from './custom-kind.ts';
import { container, deployment, policy } from './manifests.ts';

const KIND = 'Machine.example.com';
const MACHINE = { group: 'example.com', resource: 'machines', kind: 'Machine' };
const CRD = crdOf(MACHINE);
const ROLE = 'vault-injection-operator-templates';
const RIGHTS = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: ROLE },
    rules: [{ apiGroups: ['example.com'], resources: ['machines'], verbs: ['get', 'list', 'watch', 'patch'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: ROLE },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: ROLE },
    subjects: [{ kind: 'ServiceAccount', ...OPERATOR }],
  },
];
// it tries again every 30 seconds
const AGAIN_MS = 90_000;

describe('a kind of the setting templates that the guard-rails were not told of', function () {
  this.timeout(180_000);
  let dir: string;
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;

  before(async function () {
    this.timeout(BUILDING_MS);
    dir = mkdtempSync(join(tmpdir(), 'guarded-kind-'));
    writeFileSync(join(dir, 'settings.yaml'), stringify({ templates: [templateRow(MACHINE)] }));
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    const kubeconfig = await installDefault(plane, 'operator');
    await cluster.apply({ apiVersion: 'v1', kind: 'List', items: [CRD, ...RIGHTS] });
    await cluster.kubectl('wait', '--for=condition=Established', `crd/${CRD.metadata.name}`, '--timeout=60s');
    operator = await startOperator({
      controlPlane: { kubeconfig, kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin) },
      service: OPERATOR.name,
      flags: ['--config', join(dir, 'settings.yaml')],
    });
    for (const namespace of ['tenant', 'shop']) await cluster.namespace(namespace);
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  interface Condition {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }

  async function condition(type: string): Promise<Condition | undefined> {
    const text = await cluster.kubectl('get', 'vip', 'all', '-n', 'tenant', '-o', 'json');
    const { status } = JSON.parse(text) as { status?: { conditions?: readonly Condition[] } };
    return status?.conditions?.find((one) => one.type === type);
  }

  async function isWrapped(namespace: string, name: string, kind: string): Promise<boolean> {
    const { spec } = await cluster.get(namespace, name, kind);
    return JSON.stringify(spec.template.spec.containers[0]?.command) === JSON.stringify([WRAPPER]);
  }

  const machine = (name: string): object => ({
    apiVersion: 'example.com/v1',
    kind: 'Machine',
    metadata: { name, namespace: 'tenant' },
    spec: { template: { metadata: { labels: { app: name } }, spec: { containers: [container('app')] } } },
  });

  it('is told in the policy that names it, which is in force for its other targets', async () => {
    await cluster.apply(policy('tenant', 'all', { targets: ['Deployment', KIND] }));
    const ready = await eventually('the policy to say what to do', async () => {
      const found = await condition('Ready');
      return found?.reason === 'TargetUnavailable' ? found : undefined;
    });
    expect(ready.message)
      .to.contain('machines.example.com')
      .and.contain("the annotation vaultinjection.dev/templates of the operator's ServiceAccount");
    await eventually('the policy to be programmed', async () =>
      (await condition('Programmed'))?.status === 'True' ? true : undefined,
    );
    await cluster.apply(deployment('tenant', 'web'));
    expect(await isWrapped('tenant', 'web', 'deployment')).to.equal(true);
    await cluster.apply(machine('early'));
    expect(await isWrapped('tenant', 'early', 'machine')).to.equal(false);
  });

  it('keeps nobody else from the webhook', async () => {
    await cluster.policy(policy('shop', 'all'));
    await cluster.apply(deployment('shop', 'web'));
    expect(await isWrapped('shop', 'web', 'deployment')).to.equal(true);
  });

  it('is injected once its name is in the annotation', async () => {
    const { name, namespace } = OPERATOR;
    const annotation = 'vaultinjection.dev/templates=machines.example.com';
    await cluster.kubectl('annotate', 'serviceaccount', name, '-n', namespace, annotation);
    const isReady = async (): Promise<true | undefined> =>
      (await condition('Ready'))?.status === 'True' ? true : undefined;
    await eventually('the policy to be Ready', isReady, AGAIN_MS);
    await cluster.apply(machine('late'));
    expect(await isWrapped('tenant', 'late', 'machine')).to.equal(true);
  });
});
