import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { buildImage, ownArchitecture } from '../../build/image.ts';
import { operatorSpec } from '../../build/images.ts';
import type { Architecture } from '../../build/runtime/pins.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { exposeLoopback } from '../support/loopback-service.ts';
import { startNode, skipWithoutNode, type Node } from '../support/node.ts';
import { freePorts } from '../support/ports.ts';
import { Cluster, WRAPPER } from '../integration/cluster.ts';
import { deployment, policy } from '../integration/manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const SYSTEM = 'vault-injection-system';
const NAME = 'vault-injection-operator';
const IMAGE = 'localhost/vault-injection-operator:1';

describe('an operator installed by config/default, from the image of make images', function () {
  this.timeout(240_000);
  let plane: ControlPlane;
  let node: Node;
  let cluster: Cluster;

  before(async function () {
    skipWithoutNode(this);
    execFileSync(process.execPath, [join(ROOT, 'build/bundle.ts')], { stdio: 'inherit' });
    plane = await startControlPlane({ scheduler: true });
    node = await startNode(plane);
    cluster = new Cluster(plane);
    const folder = join(node.dir, 'images');
    mkdirSync(folder, { recursive: true });
    const spec = await operatorSpec(IMAGE, ownArchitecture() as Architecture);
    await node.importImage(buildImage({ ...spec, compress: false }, join(folder, 'operator.tar')));
    await install();
  });
  after(async () => {
    // before() may have skipped
    await (node as Node | undefined)?.stop();
    await (plane as ControlPlane | undefined)?.stop();
  });

  /**
   * What this one-node cluster without a pod network cannot do is patched: pods share the host's network and reach the API
   * server by its address, and the Service leads to loopback.
   */
  async function install(): Promise<void> {
    const [webhookPort = 0, healthPort = 0] = await freePorts(2);
    const { port } = new URL(plane.server);
    const env = {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: port,
      VAULT_INJECTION_WEBHOOK_PORT: String(webhookPort),
      VAULT_INJECTION_WEBHOOK_SERVICE_PORT: String(webhookPort),
      VAULT_INJECTION_HEALTH_PORT: String(healthPort),
    };
    const spec = {
      hostNetwork: true,
      dnsPolicy: 'Default',
      containers: [containerPatch(env, webhookPort, healthPort)],
    };
    const patch = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: NAME, namespace: SYSTEM },
      // the pods share the ports of the one node
      spec: { replicas: 1, template: { spec } },
    };
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: NAME, namespace: SYSTEM } };
    const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM, labels } };
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: ['../config/default'],
      patches: [
        { patch: JSON.stringify(patch) },
        { patch: JSON.stringify({ ...service, $patch: 'delete' }) },
        // "restricted" refuses hostNetwork; that the pods pass it but for this is tested in test/integration/install.test.ts
        { patch: JSON.stringify(namespace) },
      ],
    };
    // kustomize wants relative paths: the copy lies beside a copy of config and crds
    const overlay = join(node.dir, 'install/overlay');
    mkdirSync(overlay, { recursive: true });
    execFileSync('cp', ['-r', join(ROOT, 'config'), join(ROOT, 'crds'), join(node.dir, 'install')]);
    writeFileSync(join(overlay, 'kustomization.yaml'), JSON.stringify(kustomization));
    await cluster.kubectl('apply', '-f', join(ROOT, 'config/operator/namespace.yaml'));
    await exposeLoopback(plane, SYSTEM, NAME);
    await cluster.kubectl('apply', '-k', overlay);
    const rollout = await plane.kubectl(['rollout', 'status', 'deployment', NAME, '-n', SYSTEM, '--timeout=60s']);
    if (rollout.code !== 0) throw new Error(await cluster.kubectl('describe', 'pods,replicasets', '-n', SYSTEM));
  }

  function containerPatch(
    env: Record<string, string>,
    webhookPort: number,
    healthPort: number,
  ): Record<string, unknown> {
    return {
      name: 'operator',
      image: IMAGE,
      imagePullPolicy: 'Never',
      env: Object.entries(env).map(([name, value]) => ({ name, value })),
      ports: [
        { $patch: 'replace' },
        { name: 'webhook', containerPort: webhookPort },
        { name: 'metrics', containerPort: healthPort },
      ],
      livenessProbe: { httpGet: { host: '127.0.0.1' } },
      readinessProbe: { httpGet: { host: '127.0.0.1' } },
    };
  }

  it('becomes ready as it is: read-only, without root, with only its own permissions', async () => {
    const ready = await cluster.kubectl(
      'get',
      'deployment',
      NAME,
      '-n',
      SYSTEM,
      '-o',
      'jsonpath={.status.readyReplicas}',
    );
    expect(ready).to.equal('1');
  });

  it('injects, called by its Service', async () => {
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop', { injector: { image: 'localhost/vault-env:1' } }));
    await cluster.apply(deployment('shop', 'app'));
    const live = await cluster.get('shop', 'app');
    expect(live.spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
  });

  it('logs no error', async () => {
    const log = await cluster.kubectl('logs', `deployment/${NAME}`, '-n', SYSTEM);
    expect(log).to.include('the webhook server is listening');
    expect(log).to.not.match(/"level":"error"|forbidden/i);
  });
});
