/** Somebody has stolen a token of the operator, which may patch every workload of the cluster whose template may change. */
import { join } from 'node:path';

import { expect } from 'chai';

import { deployment } from '../integration/manifests.ts';
import { workload } from '../integration/workload-manifests.ts';
import { BUILDING_MS } from '../support/building.ts';
import { APPLY, guarded, MARKED, NAMESPACES, openScene, ROOT, UNMARKED, type Scene, type Theft } from './thief.ts';

const STRATEGIC = 'application/strategic-merge-patch+json';
const REQUESTED = { 'vaultinjection.dev/requested': 'Repair/8ec4d63f7b15/1/2026-01-02T03:04:05Z' };

const container = (changes: object): object => pod({ containers: [{ name: 'app', ...changes }] });
const pod = (changes: object): object => ({ spec: { template: { spec: changes } } });
const UID = 'b1c9e1b4-2b1a-4f64-9c7e-2a1c6d0f0c11';

/** Of every kind that has a pod template, wherever it is. */
const TEMPLATE_CHANGES: Readonly<Record<string, { readonly template: object } | { readonly metadata: object }>> = {
  'change an image': { template: { spec: { containers: [{ name: 'app', image: 'registry.example.com/evil:1' }] } } },
  'make a container privileged': {
    template: { spec: { containers: [{ name: 'app', securityContext: { privileged: true } }] } },
  },
  'add a container': { template: { spec: { containers: [{ name: 'evil', image: 'evil:1' }] } } },
  'take another ServiceAccount': { template: { spec: { serviceAccountName: 'admin' } } },
  'label its pods': { template: { metadata: { labels: { team: 'evil' } } } },
  'label it': { metadata: { labels: { team: 'evil' } } },
};

interface Other {
  readonly plural: string;
  readonly name: string;
  /** Returns the spec of a change of its template. */
  readonly within: (template: object) => object;
  /** What only this kind has. */
  readonly own: Readonly<Record<string, { readonly spec: object }>>;
}

const inSpec = (template: object): object => ({ template });
const APPS = '/apis/apps/v1/namespaces/shop';

/** The other kinds that the operator may patch. */
const OTHERS = {
  daemonset: {
    plural: `${APPS}/daemonsets`,
    name: 'agent',
    within: inSpec,
    own: { 'change how it is rolled': { spec: { minReadySeconds: 77 } } },
  },
  replicaset: {
    plural: `${APPS}/replicasets`,
    name: 'alone',
    within: inSpec,
    own: { 'scale it': { spec: { replicas: 7 } } },
  },
  replicationcontroller: {
    plural: '/api/v1/namespaces/shop/replicationcontrollers',
    name: 'old',
    within: inSpec,
    own: { 'scale it': { spec: { replicas: 7 } } },
  },
  cronjob: {
    plural: '/apis/batch/v1/namespaces/shop/cronjobs',
    name: 'nightly',
    within: (template) => ({ jobTemplate: { spec: { template } } }),
    own: {
      'run it each minute': { spec: { schedule: '* * * * *' } },
      'suspend it': { spec: { suspend: true } },
      'run many of its pods': { spec: { jobTemplate: { spec: { parallelism: 99 } } } },
      'label its Jobs': { spec: { jobTemplate: { metadata: { labels: { team: 'evil' } } } } },
    },
  },
} satisfies Readonly<Record<string, Other>>;

/** Strategic merge patches. */
const CHANGES: Readonly<Record<string, object>> = {
  'change an image': container({ image: 'registry.example.com/evil:1' }),
  'change a variable': container({ env: [{ name: 'PORT', value: '1' }] }),
  'mount a volume of its own': pod({
    containers: [{ name: 'app', volumeMounts: [{ name: 'mine', mountPath: '/mine' }] }],
    volumes: [{ name: 'mine', secret: { secretName: 'theirs' } }],
  }),
  'make a container privileged': container({ securityContext: { privileged: true } }),
  'add a container': pod({ containers: [{ name: 'evil', image: 'evil:1' }] }),
  'add an init container': pod({ initContainers: [{ name: 'evil', image: 'evil:1' }] }),
  'add a volume of the node': pod({ volumes: [{ name: 'vault-env-9', hostPath: { path: '/' } }] }),
  'use the network of the node': pod({ hostNetwork: true }),
  'take another ServiceAccount': pod({ serviceAccountName: 'admin' }),
  'scale it': { spec: { replicas: 7 } },
  'change how it is rolled': { spec: { minReadySeconds: 77 } },
  'label it': { metadata: { labels: { team: 'evil' } } },
  'label its pods': { spec: { template: { metadata: { labels: { team: 'evil' } } } } },
  'annotate its pods': { spec: { template: { metadata: { annotations: { 'example.com/evil': 'true' } } } } },
  'annotate it with what is for people': { metadata: { annotations: { 'vaultinjection.dev/role': 'admin' } } },
  'ask itself to roll it': { metadata: { annotations: { 'vaultinjection.dev/apply': 'now' } } },
  'remove an annotation of somebody': { metadata: { annotations: { 'example.com/theirs': null } } },
  'put a finalizer on it': { metadata: { finalizers: ['example.com/evil'] } },
  'have it collected with another object': {
    metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'none', uid: UID }] },
  },
};

describe('a stolen token of the operator, against workloads', function () {
  this.timeout(120_000);
  let scene: Scene;

  before(async function () {
    this.timeout(BUILDING_MS);
    scene = await openScene();
    for (const [kind, { name }] of [
      ['DaemonSet', OTHERS.daemonset],
      ['ReplicaSet', OTHERS.replicaset],
      ['ReplicationController', OTHERS.replicationcontroller],
      ['CronJob', OTHERS.cronjob],
    ] as const)
      await scene.cluster.apply(workload(kind, { name, namespace: 'shop' }));
    for (const namespace of NAMESPACES)
      for (const one of ['deployment/web', 'statefulset/db'])
        await scene.cluster.kubectl('annotate', one, '-n', namespace, 'example.com/theirs=1');
  });
  after(() => scene.stop());

  const pathOf = (namespace: string, kind = 'deployment', name = 'web'): string =>
    `/apis/apps/v1/namespaces/${namespace}/${kind}s/${name}`;
  const patch = (namespace: string, body: object, kind?: string, name?: string): Theft => ({
    method: 'PATCH',
    path: pathOf(namespace, kind, name),
    body,
    type: STRATEGIC,
  });

  it('does what the operator does: it writes its annotations, and admission injects', async () => {
    const before = await scene.cluster.get('shop', 'web');
    const { status } = await scene.thief(patch('shop', { metadata: { annotations: REQUESTED } }));
    expect(status).to.equal(200);
    const { metadata, spec } = await scene.cluster.get('shop', 'web');
    expect(spec).to.deep.equal(before.spec);
    expect(metadata.annotations).to.include(REQUESTED);
    expect(JSON.stringify(spec)).to.contain('VAULT_ENV_CONFIG');
  });

  for (const isMarked of [true, false])
    describe(isMarked ? 'as shipped' : 'without config/marks', () => {
      before(async () => {
        const binding = ['mutatingadmissionpolicybinding', 'vault-injection-operator-marks'];
        if (!isMarked) await scene.cluster.kubectl('delete', ...binding);
        await guarded(scene.thief, 'what is refused', isMarked ? MARKED : UNMARKED);
      });
      after(async () => {
        if (!isMarked) await scene.plane.kubectlOk(['apply', '-k', join(ROOT, 'config/marks')]);
      });

      for (const namespace of NAMESPACES)
        for (const [kind, name] of [
          ['deployment', 'web'],
          ['statefulset', 'db'],
        ] as const)
          for (const [does, change] of Object.entries(CHANGES))
            it(`cannot ${does}: a ${kind} in a namespace ${namespace === 'shop' ? 'with' : 'without'} a policy`, async () => {
              const before = await scene.cluster.get(namespace, name, kind);
              // together with what makes admission review it
              const { status, message } = await scene.thief(patch(namespace, withRequest(change), kind, name));
              expect(message).to.match(/vault-injection-operator-workloads.*the operator's account may/);
              expect(status).to.be.within(403, 422);
              expect(await scene.cluster.get(namespace, name, kind)).to.deep.equal(before);
            });

      for (const [kind, { plural, name, within, own }] of Object.entries<Other>(OTHERS))
        for (const [does, change] of Object.entries({ ...TEMPLATE_CHANGES, ...own }))
          it(`cannot ${does}: a ${kind}`, async () => {
            const path = `${plural}/${name}`;
            const nested = 'template' in change ? { spec: within(change.template) } : change;
            const read = (): Promise<string> => scene.cluster.kubectl('get', kind, name, '-n', 'shop', '-o', 'json');
            const before = await read();
            const theft = { method: 'PATCH', path, body: withRequest(nested), type: STRATEGIC } as const;
            const { status, message } = await scene.thief(theft);
            expect(message).to.match(/vault-injection-operator-workloads.*the operator's account may/);
            expect(status).to.be.within(403, 422);
            expect(await read()).to.equal(before);
          });

      it('cannot change one by server-side apply either, nor by a JSON patch', async () => {
        const [apiVersion, kind] = ['apps/v1', 'Deployment'];
        const applied = { apiVersion, kind, metadata: { name: 'web' }, ...container({ image: 'evil:1' }) };
        const op = { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'evil:1' };
        const path = pathOf('shop');
        const thefts: Theft[] = [
          { method: 'PATCH', path: `${path}?fieldManager=x&force=true`, body: applied, type: APPLY },
          { method: 'PATCH', path, body: [op], type: 'application/json-patch+json' },
        ];
        for (const theft of thefts)
          expect((await scene.thief(theft)).message).to.match(/workloads.*the operator's account may/);
      });
    });

  // A thief who may write the webhook configuration can keep the webhook out of a namespace.
  describe('where the webhook is not called', () => {
    const looksLikeInjection: Readonly<Record<string, object>> = {
      'the arguments of vault-env': container({ args: ['--', '/bin/evil'] }),
      'the settings of vault-env': container({ env: [{ name: 'VAULT_ENV_CONFIG', value: '{}' }] }),
      'the image that vault-env comes from': pod({ initContainers: [{ name: 'vault-env', image: 'evil:1' }] }),
      'the record of an injected template': {
        spec: { template: { metadata: { annotations: { 'vaultinjection.dev/original': '{}' } } } },
      },
    };

    before(async () => {
      await scene.operator.stop();
      await scene.cluster.kubectl('delete', 'mutatingwebhookconfiguration', 'vault-injection-operator');
      await guarded(scene.thief, 'the marks to be back', MARKED);
    });

    for (const [does, change] of Object.entries(looksLikeInjection))
      it(`cannot change ${does}`, async () => {
        expect((await scene.thief(patch('shop', change))).message).to.contain(MARKED);
      });

    it('can change these, and these alone, without config/marks', async () => {
      await scene.cluster.kubectl('delete', '-k', join(ROOT, 'config/marks'));
      await guarded(scene.thief, 'the marks to be gone', UNMARKED);
      for (const [does, change] of Object.entries(looksLikeInjection))
        expect((await scene.thief(patch('shop', change))).status, does).to.equal(200);
      for (const [does, change] of Object.entries(CHANGES))
        expect((await scene.thief(patch('shop', change))).message, does).to.contain("the operator's account may");
    });
  });

  const web = deployment('shop', 'web');
  const evil = deployment('shop', 'evil');
  const all = '/apis/apps/v1/namespaces/shop';
  const thefts: Readonly<Record<string, Theft>> = {
    'scale one': { method: 'PATCH', path: `${pathOf('shop')}/scale`, body: { spec: { replicas: 3 } } },
    'write a status': { method: 'PATCH', path: `${pathOf('shop')}/status`, body: { status: { replicas: 3 } } },
    'replace one': { method: 'PUT', path: pathOf('shop'), body: web },
    'create one': { method: 'POST', path: `${all}/deployments`, body: evil },
    'create one by server-side apply': {
      method: 'PATCH',
      path: `${all}/deployments/evil?fieldManager=x`,
      body: evil,
      type: APPLY,
    },
    'delete one': { method: 'DELETE', path: pathOf('shop') },
    'delete all': { method: 'DELETE', path: `${all}/deployments` },
    'create a DaemonSet': { method: 'POST', path: `${all}/daemonsets`, body: { ...evil, kind: 'DaemonSet' } },
    'patch a Job': { method: 'PATCH', path: '/apis/batch/v1/namespaces/shop/jobs/any', body: {} },
    'create a Job': { method: 'POST', path: '/apis/batch/v1/namespaces/shop/jobs', body: { ...evil, kind: 'Job' } },
    'patch a pod': { method: 'PATCH', path: '/api/v1/namespaces/shop/pods/any', body: {} },
    'create a pod': { method: 'POST', path: '/api/v1/namespaces/shop/pods', body: { metadata: { name: 'evil' } } },
    'exec into a pod': { method: 'POST', path: '/api/v1/namespaces/shop/pods/any/exec?command=sh' },
    'read the log of a pod': { method: 'GET', path: '/api/v1/namespaces/shop/pods/any/log' },
  };
  for (const [does, theft] of Object.entries(thefts))
    it(`cannot ${does}`, async () => {
      const { status, message } = await scene.thief(theft);
      expect(message).to.contain('forbidden: User "system:serviceaccount:');
      expect(status).to.equal(403);
    });
});

function withRequest(change: object): object {
  const { metadata = {} } = change as { metadata?: { annotations?: object } };
  return { ...change, metadata: { ...metadata, annotations: { ...metadata.annotations, ...REQUESTED } } };
}
