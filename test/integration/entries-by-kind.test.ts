/** The webhook configuration names the kinds that policies name, by namespace: on the real API server. */
import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import type { LiveTemplate } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';

const INJECTED = 'vaultinjection.dev/injected';
const OWNER = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'any', uid: '00000000-0000-0000-0000-000000000000' };
// what is draining is looked at after 30 s, and again within a minute if that was too early
const DRAINED_MS = 150_000;

interface Manifest {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

interface CronJob {
  readonly spec: { readonly jobTemplate: { readonly spec: { readonly template: LiveTemplate } } };
}

function pod(namespace: string, name: string): Manifest {
  const spec = { restartPolicy: 'Never', containers: [container()] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec } as Manifest;
}

/** @param made its controller made it from a template that is injected */
function job(namespace: string, name: string, made = false): Manifest {
  const metadata = { name, namespace, ...(made && { ownerReferences: [OWNER] }) };
  const annotations = made ? { [INJECTED]: 'batch/1/abc' } : {};
  const template = { metadata: { annotations }, spec: { restartPolicy: 'Never', containers: [container()] } };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { suspend: true, template } } as Manifest;
}

function cronJob(namespace: string, name: string): Manifest {
  const template = { spec: { restartPolicy: 'Never', containers: [container()] } };
  const spec = { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: { template } } };
  return { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name, namespace }, spec } as Manifest;
}

describe('the entries of the webhook configuration', function () {
  this.timeout(300_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane });
    for (const name of ['web', 'batch', 'nightly']) {
      await cluster.namespace(name);
      // no controller is there that would, and no pod is created without
      await cluster.kubectl('create', 'serviceaccount', 'default', '-n', name);
    }
    await cluster.policy(policy('web', 'web', { targets: ['Deployment'] }));
    await cluster.policy(policy('batch', 'batch', { targets: ['Job', 'ReplicaSet', 'Pod'] }));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  const entries = async (): Promise<readonly string[]> => {
    const path = 'jsonpath={.webhooks[*].name}';
    const names = await cluster.kubectl('get', 'mutatingwebhookconfiguration', 'vault-injection-operator', '-o', path);
    return names.split(' ').map((name) => name.replace('.vaultinjection.dev', ''));
  };
  const isStored = async (manifest: Manifest): Promise<string> =>
    cluster.apply(manifest).then(
      () => 'stored',
      (error: unknown) => /failed calling webhook "[a-z.-]+"/.exec(String(error))?.[0] ?? String(error),
    );

  it('are for the kinds that the policies of a namespace name, and for no others', async () => {
    expect(await entries()).to.deep.equal(['deployments.fail', 'jobs.fail', 'replicasets-pods.fail', 'probe']);
    await cluster.apply(pod('batch', 'bare'));
    const live = JSON.parse(await cluster.kubectl('get', 'pod', 'bare', '-n', 'batch', '-o', 'json')) as LiveTemplate;
    expect(live.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
  });

  it('take updates of pods without a review where nothing of injection would be lost', async () => {
    await cluster.kubectl('label', 'pod', 'bare', '-n', 'batch', 'seen=yes');
    expect(await cluster.apply(pod('batch', 'bare'))).to.match(/pod\/bare (configured|unchanged)/);
    await cluster.kubectl('annotate', 'pod', 'bare', '-n', 'batch', `${INJECTED}-`);
    const live = JSON.parse(await cluster.kubectl('get', 'pod', 'bare', '-n', 'batch', '-o', 'json')) as LiveTemplate;
    expect(live.metadata.annotations).to.have.property(INJECTED);
  });

  it('lose a kind that policies name no more when the last injected workload of it is restored', async () => {
    await cluster.policy(policy('nightly', 'nightly', { targets: ['Deployment', 'CronJob'] }));
    await cluster.apply(cronJob('nightly', 'dump'));
    const commandOf = async (): Promise<unknown> => {
      const live = JSON.parse(
        await cluster.kubectl('get', 'cronjob', 'dump', '-n', 'nightly', '-o', 'json'),
      ) as CronJob;
      return live.spec.jobTemplate.spec.template.spec.containers[0]?.command;
    };
    expect(await commandOf()).to.deep.equal([WRAPPER]);
    await cluster.policy(policy('nightly', 'nightly', { targets: ['Deployment'] }));
    expect(await entries())
      .to.include('cronjobs.ignore')
      .and.not.include('deployments-cronjobs.fail');
    await cluster.kubectl('annotate', 'cronjob', 'dump', '-n', 'nightly', 'touched=yes');
    expect(await commandOf()).to.deep.equal(['/bin/shop']);
    await eventually(
      'the kind to leave',
      async () => ((await entries()).includes('cronjobs.ignore') ? undefined : true),
      DRAINED_MS,
    );
  });

  it('refuse in an outage what a Fail policy of the namespace names, and nothing else', async () => {
    await operator.stop();
    const failed = (entry: string): string => `failed calling webhook "${entry}.vaultinjection.dev"`;
    expect(await isStored(deployment('web', 'named'))).to.equal(failed('deployments.fail'));
    expect(await isStored(job('web', 'not-named'))).to.equal('stored');
    expect(await isStored(pod('web', 'not-named'))).to.equal('stored');
    expect(await isStored(job('batch', 'named'))).to.equal(failed('jobs.fail'));
    expect(await isStored(pod('batch', 'named'))).to.equal(failed('replicasets-pods.fail'));
    expect(await isStored(deployment('batch', 'not-named'))).to.equal('stored');
    expect(await isStored(job('batch', 'made', true)), 'made from an injected template').to.equal('stored');
    await cluster.kubectl('label', 'pod', 'bare', '-n', 'batch', 'later=yes');
  });
});
