/** Rollouts of Argo, with its own CRD and controller, on the real API server: `make test-argo-rollouts`. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { ensureTools } from '../../build/tools/tools.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { freePorts } from '../support/ports.ts';
import { pretendKubelet, type PretendedKubelet } from '../support/pretended-kubelet.ts';
import { openWorkspace, type Workspace } from '../support/workspace.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import type { LiveTemplate } from './cluster.ts';
import { container, policy } from './manifests.ts';

const NAMESPACE = 'shop';
const MODULE = join(import.meta.dirname, '../tools/argo-rollouts');
const ROLLED_MS = 120_000;
// long enough for a controller that makes ReplicaSets without end to make many
const WATCHED_MS = 10_000;
const INJECTED = [[WRAPPER], ['--', '/bin/shop', 'serve', '--port=8080']];
const ORIGINAL = [['/bin/shop'], ['serve', '--port=8080']];

interface Made {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly replicas?: number; readonly template: LiveTemplate };
  readonly status?: { readonly phase?: string; readonly observedGeneration?: string };
}

function rollout(image = 'registry.example.com/shop:1'): { readonly metadata: { readonly name: string } } {
  const labels = { app: 'web' };
  const template = { metadata: { labels }, spec: { containers: [container('app', { image })] } };
  const strategy = { canary: { maxSurge: 1, maxUnavailable: 0 } };
  const metadata = { name: 'web', namespace: NAMESPACE };
  const spec = { replicas: 2, selector: { matchLabels: labels }, strategy, template };
  return { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', metadata, spec } as { metadata: { name: string } };
}

describe('Rollouts of Argo', function () {
  this.timeout(300_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;
  let kubelet: PretendedKubelet;
  let workspace: Workspace;

  before(async function () {
    this.timeout(3_600_000);
    const { 'rollouts-controller': controller } = await ensureTools(['rollouts-controller']);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    const list = ['list', '-m', '-f', '{{.Dir}}', 'github.com/argoproj/argo-rollouts'];
    const dir = execFileSync('go', list, { cwd: MODULE, encoding: 'utf8' }).trim();
    for (const name of ['rollout', 'experiment', 'analysis-run', 'analysis-template', 'cluster-analysis-template'])
      await cluster.kubectl('apply', '--server-side', '-f', join(dir, `manifests/crds/${name}-crd.yaml`));
    await cluster.kubectl('wait', '--for=condition=Established', 'crd/rollouts.argoproj.io', '--timeout=60s');
    operator = await startOperator({ controlPlane: plane, flags: ['--templates', 'ArgoRollout'] });
    for (const name of [NAMESPACE, 'argo-rollouts']) await cluster.namespace(name);
    kubelet = pretendKubelet(plane, NAMESPACE);
    workspace = await openWorkspace('argo');
    const [metrics = 0, health = 0] = await freePorts(2);
    const ports = ['--metricsPort', String(metrics), '--healthzPort', String(health)];
    const command = [controller.path, '--kubeconfig', plane.kubeconfig, '--leader-elect=false', ...ports];
    workspace.start('rollouts-controller', command);
    await cluster.policy(targeting('Rollout.argoproj.io', 'ReplicaSet', 'Pod'));
  });
  after(async () => {
    await workspace.close();
    await kubelet.stop();
    await operator.stop();
    await plane.stop();
  });

  function targeting(...targets: readonly string[]): { metadata?: unknown } {
    return policy(NAMESPACE, 'shop', { targets, failurePolicy: 'Ignore', rollout: { strategy: 'Automatic' } });
  }

  async function list<T>(resource: string): Promise<readonly T[]> {
    return (JSON.parse(await cluster.kubectl('get', resource, '-n', NAMESPACE, '-o', 'json')) as { items: T[] }).items;
  }

  const live = async (): Promise<Made> =>
    JSON.parse(await cluster.kubectl('get', 'rollouts.argoproj.io', 'web', '-n', NAMESPACE, '-o', 'json')) as Made;
  const commandOf = ({ spec: { containers } }: LiveTemplate): unknown => [containers[0]?.command, containers[0]?.args];

  /** Waits until its controller has made `count` ReplicaSets and says that it is healthy. */
  const rolledOut = (count: number): Promise<true> =>
    eventually(
      `${count} revisions, and a healthy Rollout`,
      async () => {
        const { status } = await live();
        const made = await list<Made>('replicasets');
        return status?.phase === 'Healthy' && made.length === count ? true : undefined;
      },
      ROLLED_MS,
      async () => JSON.stringify([(await live()).status, (await list<Made>('replicasets')).length]),
    );

  /** What controllers make has what is in the template of the Rollout, and there is no more of it after a while. */
  async function expectMade(count: number, command: unknown): Promise<void> {
    expect(commandOf((await live()).spec.template)).to.deep.equal(command);
    await rolledOut(count);
    await sleep(WATCHED_MS);
    const made = await list<Made>('replicasets');
    expect(made).to.have.length(count);
    const [current] = made.filter(({ spec }) => spec.replicas === 2);
    expect(current && commandOf(current.spec.template)).to.deep.equal(command);
    const running = (await list<LiveTemplate & { metadata: { deletionTimestamp?: string } }>('pods')).filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
    for (const pod of running) expect(commandOf(pod)).to.deep.equal(command);
  }

  it('are injected at their template, and what Argo makes of it is left alone', async () => {
    await cluster.apply(rollout());
    await expectMade(1, INJECTED);
  });

  it('stay as they are when they are applied again, by kubectl and by the server', async () => {
    await cluster.apply(rollout());
    await cluster.apply(rollout(), '--server-side', '--force-conflicts', '--field-manager=ci');
    await expectMade(1, INJECTED);
  });

  it('have one ReplicaSet more for a new image, and none for what they had before', async () => {
    const flags = ['--server-side', '--force-conflicts', '--field-manager=ci'];
    await cluster.apply(rollout('registry.example.com/shop:2'), ...flags);
    await expectMade(2, INJECTED);
    await cluster.apply(rollout(), ...flags);
    await expectMade(2, INJECTED);
  });

  it('are rolled once after a change of their policy', async () => {
    await cluster.policy(policy(NAMESPACE, 'shop', {
      ...{ targets: ['Rollout.argoproj.io'], failurePolicy: 'Ignore', rollout: { strategy: 'Automatic' } },
      vault: { address: 'https://vault.example.com:8200', namespace: 'other', auth: { role: 'shop' } },
    })); // prettier-ignore
    await expectMade(3, INJECTED);
  });

  it('have their own command back when the policy is deleted and they change', async () => {
    await cluster.kubectl('delete', 'vip', 'shop', '-n', NAMESPACE);
    await cluster.kubectl('annotate', 'rollouts.argoproj.io', 'web', '-n', NAMESPACE, 'touched=yes');
    await expectMade(4, ORIGINAL);
  });
});
