import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';

/** What the namespaces of a cluster demand of the resources of pods. */
const DEMANDS: Readonly<Record<string, object | undefined>> = {
  free: undefined,
  quota: quota({ 'requests.cpu': '4', 'requests.memory': '8Gi', 'limits.cpu': '8', 'limits.memory': '16Gi' }),
  minimum: limitRange({ min: { cpu: '100m', memory: '90Mi' } }),
  ratio: limitRange({
    default: { cpu: '500m', memory: '256Mi' },
    defaultRequest: { cpu: '100m', memory: '128Mi' },
    maxLimitRequestRatio: { cpu: '10', memory: '2' },
  }),
  defaults: limitRange({ default: { cpu: '1', memory: '1Gi' }, max: { cpu: '2', memory: '2Gi' } }),
};

/** What pods say about their resources: containers, and the pod as a whole. */
const PODS: Readonly<Record<string, { containers: readonly object[]; pod?: object }>> = {
  none: { containers: [{}] },
  burstable: { containers: [{ requests: { cpu: '200m', memory: '128Mi' }, limits: { cpu: '400m', memory: '128Mi' } }] },
  guaranteed: { containers: [{ limits: { cpu: '500m', memory: '128Mi' } }, { limits: { cpu: '1', memory: '256Mi' } }] },
  requests: { containers: [{ requests: { cpu: '200m', memory: '128Mi' } }, {}] },
  'pod-level': {
    containers: [{}],
    pod: { requests: { cpu: '5m', memory: '64Mi' }, limits: { cpu: '5m', memory: '64Mi' } },
  },
};

describe('the resources of injected pods', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let operator: RunningOperator;
  let cluster: Cluster;

  before(async () => {
    plane = await startControlPlane();
    operator = await startOperator({ controlPlane: plane });
    cluster = new Cluster(plane);
    for (const [namespace, demand] of Object.entries(DEMANDS)) {
      await cluster.namespace(namespace);
      if (demand !== undefined) await cluster.apply(demand, '-n', namespace);
      await cluster.policy(policy(namespace, 'shop'));
    }
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  /** Returns the QoS class of the pod that its controllers make of a workload, or why the API server refuses it. */
  async function made(namespace: string, shape: string, isReferring: boolean): Promise<string> {
    const name = `${shape}-${isReferring ? 'injected' : 'bare'}`;
    const { containers, pod } = PODS[shape] ?? { containers: [] };
    const manifest = deployment(
      namespace,
      name,
      containers.map((resources, index) => ({
        ...container(`app-${index}`, isReferring ? {} : { env: [] }),
        resources,
      })),
    );
    manifest.spec.replicas = 1;
    Object.assign(manifest.spec.template.spec, pod && { resources: pod });
    await cluster.apply(manifest);
    return eventually(`a pod of ${namespace}/${name}, or a refusal`, async () => {
      const list = await cluster.kubectl('get', 'pods', '-n', namespace, '-l', `app=${name}`, '-o', 'json');
      const [first] = (JSON.parse(list) as { items: { status: { qosClass: string } }[] }).items;
      if (first !== undefined) return first.status.qosClass;
      const { status } = (await cluster.get(namespace, name)) as unknown as Conditions;
      const refusal = status.conditions?.find(({ type }) => type === 'ReplicaFailure');
      return refusal && `refused: ${refusal.message.replace(/^.*is forbidden: /, '')}`;
    });
  }

  for (const namespace of Object.keys(DEMANDS))
    for (const shape of Object.keys(PODS))
      it(`namespace ${namespace}, pods ${shape}: created as without injection, with the same QoS class`, async () => {
        const [bare, injected] = await Promise.all([made(namespace, shape, false), made(namespace, shape, true)]);
        // what the API server refuses without us, it may refuse with us, in other words
        const outcome = (text: string): string => (text.startsWith('refused') ? 'refused' : text);
        expect(outcome(injected), injected).to.equal(outcome(bare));
      });

  it('a pod that is refused because of what was added is told in the status of the policy', async () => {
    await cluster.namespace('strict');
    await cluster.policy(policy('strict', 'shop'));
    await cluster.apply(noContainerNamed('vault-env', 'strict'));
    const manifest = deployment('strict', 'web');
    manifest.spec.replicas = 1;
    const attention = await eventually('the status to tell of it', async () => {
      await cluster.apply(manifest);
      const found = JSON.parse(await cluster.kubectl('get', 'vip', 'shop', '-n', 'strict', '-o', 'json')) as Attentive;
      const refused = found.status?.attention?.find(({ reason }) => reason === 'PodsRefused');
      if (refused === undefined) await cluster.kubectl('delete', 'replicaset', '--all', '-n', 'strict');
      return refused;
    });
    expect(attention).to.deep.include({ kind: 'Deployment', name: 'web', state: 'Injected' });
    expect(attention.message).to.match(/^its pods cannot be created: pods "web-.*no container may be named vault-env/);
  });
});

interface Conditions {
  status: { conditions?: { type: string; message: string }[] };
}

interface Attentive {
  status?: { attention?: { kind: string; name: string; state: string; reason: string; message: string }[] };
}

function quota(hard: object): object {
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'demand' }, spec: { hard } };
}

function limitRange(limits: object): object {
  const spec = { limits: [{ type: 'Container', ...limits }] };
  return { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'demand' }, spec };
}

/** Some clusters refuse pods for reasons that nobody foresees; this one is of that kind. */
function noContainerNamed(name: string, namespace: string): object {
  const metadata = { name: `no-container-${name}` };
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] };
  const api = 'admissionregistration.k8s.io/v1';
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        ...{ apiVersion: api, kind: 'ValidatingAdmissionPolicy', metadata },
        spec: {
          matchConstraints: { resourceRules: [rule] },
          validations: [
            {
              expression: `!has(object.spec.initContainers) || object.spec.initContainers.all(c, c.name != '${name}')`,
              message: `no container may be named ${name}`,
            },
          ],
        },
      },
      {
        ...{ apiVersion: api, kind: 'ValidatingAdmissionPolicyBinding', metadata },
        spec: {
          policyName: metadata.name,
          validationActions: ['Deny'],
          matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
        },
      },
    ],
  };
}
