/**
 * Somebody has stolen a token of the operator's ServiceAccount, and asks the API server directly for what is not the
 * operator's to have. config/default is installed as it is shipped.
 */
import { expect } from 'chai';

import { readRights, resourceText } from '../../build/generate/rights.ts';
import { policy } from '../integration/manifests.ts';
import { BUILDING_MS } from '../support/building.ts';
import { OPERATOR, VAULT_ACCOUNT } from '../support/vault.ts';
import { APPLY, openScene, send, SYSTEM, tokenOf, type Scene, type Theft } from './thief.ts';

const OWN = OPERATOR.name;
const SECRETS = `/api/v1/namespaces/${SYSTEM}/secrets`;
const SECRET = `${SECRETS}/vault-injection-operator-webhook`;
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const CONFIGURATION = `${ADMISSION}/mutatingwebhookconfigurations/${OWN}`;
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const SHOP = '/api/v1/namespaces/shop';
const REVISIONS = '/apis/apps/v1/namespaces/shop/controllerrevisions';
const POLICIES = '/apis/vaultinjection.dev/v1alpha1/namespaces/shop/vaultinjectionpolicies';
const leases = (namespace: string): string => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
const subject = { kind: 'ServiceAccount', name: OWN, namespace: SYSTEM };
const clusterAdmin = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
const binding = { metadata: { name: 'evil' }, roleRef: clusterAdmin, subjects: [subject] };
const tokenRequest = { spec: { expirationSeconds: 86_400 } };

const apply = (path: string, body: object): Theft => ({
  method: 'PATCH',
  path: `${path}?fieldManager=x&force=true`,
  body,
  type: APPLY,
});

/** What RBAC refuses. */
const FORBIDDEN: Readonly<Record<string, Theft>> = {
  'read a Secret of a namespace': { method: 'GET', path: `${SHOP}/secrets/theirs` },
  'read another Secret of its own namespace': { method: 'GET', path: `${SECRETS}/theirs` },
  'list the Secrets of its own namespace': { method: 'GET', path: SECRETS },
  'list all Secrets': { method: 'GET', path: '/api/v1/secrets' },
  'create a Secret': { method: 'POST', path: SECRETS, body: { metadata: { name: 'evil' } } },
  'create its Secret by a POST': { method: 'POST', path: SECRETS, body: { metadata: { name: `${OWN}-webhook` } } },
  'delete its Secret': { method: 'DELETE', path: SECRET },
  'get a token of its own account': {
    method: 'POST',
    path: `/api/v1/namespaces/${SYSTEM}/serviceaccounts/${OWN}/token`,
    body: tokenRequest,
  },
  'get a token of another account of its namespace': {
    method: 'POST',
    path: `/api/v1/namespaces/${SYSTEM}/serviceaccounts/default/token`,
    body: tokenRequest,
  },
  'get a token of an account elsewhere': {
    method: 'POST',
    path: '/api/v1/namespaces/kube-system/serviceaccounts/replicaset-controller/token',
    body: tokenRequest,
  },
  'change its ServiceAccount': {
    method: 'PATCH',
    path: `/api/v1/namespaces/${SYSTEM}/serviceaccounts/${OWN}`,
    body: { metadata: { annotations: { 'vaultinjection.dev/webhook-url': 'https://evil.example.com' } } },
  },
  'bind a role': { method: 'POST', path: `${RBAC}/clusterrolebindings`, body: binding },
  'bind a role in its namespace': { method: 'POST', path: `${RBAC}/namespaces/${SYSTEM}/rolebindings`, body: binding },
  'widen its role': { method: 'PATCH', path: `${RBAC}/clusterroles/${OWN}`, body: { rules: [] } },
  'widen its role in its namespace': {
    method: 'PATCH',
    path: `${RBAC}/namespaces/${SYSTEM}/roles/${OWN}`,
    body: { rules: [] },
  },
  'delete another webhook configuration': {
    method: 'DELETE',
    path: `${ADMISSION}/mutatingwebhookconfigurations/evil`,
  },
  'read another ClusterRole': { method: 'GET', path: `${RBAC}/clusterroles/cluster-admin` },
  'write another one': apply(`${ADMISSION}/mutatingwebhookconfigurations/evil`, { metadata: { name: 'evil' } }),
  'create one by a POST': { method: 'POST', path: `${ADMISSION}/mutatingwebhookconfigurations`, body: binding },
  'write a validating one': apply(`${ADMISSION}/validatingwebhookconfigurations/${OWN}`, { metadata: { name: OWN } }),
  'delete what guards it': {
    method: 'DELETE',
    path: `${ADMISSION}/validatingadmissionpolicybindings/${OWN}-workloads`,
  },
  'change what guards it': {
    method: 'PATCH',
    path: `${ADMISSION}/validatingadmissionpolicybindings/${OWN}-objects`,
    body: { spec: { validationActions: ['Warn'] } },
  },
  'delete the marks': { method: 'DELETE', path: `${ADMISSION}/mutatingadmissionpolicies/${OWN}-marks` },
  'change a policy': { method: 'PATCH', path: `${POLICIES}/shop`, body: { spec: { suspended: true } } },
  'create a policy': { method: 'POST', path: POLICIES, body: policy('shop', 'evil') },
  'delete a policy': { method: 'DELETE', path: `${POLICIES}/shop` },
  'change the CRD': {
    method: 'PATCH',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vaultinjectionpolicies.vaultinjection.dev',
    body: { metadata: { labels: { a: 'b' } } },
  },
  'change a ControllerRevision': { method: 'PATCH', path: `${REVISIONS}/theirs`, body: { revision: 7 } },
  'read an Event': { method: 'GET', path: `${SHOP}/events` },
  'take a Lease elsewhere': { method: 'POST', path: leases('kube-system'), body: { metadata: { name: 'evil' } } },
  'create a ConfigMap': { method: 'POST', path: `${SHOP}/configmaps`, body: { metadata: { name: 'evil' } } },
  'create a ConfigMap in its own namespace': apply(`/api/v1/namespaces/${SYSTEM}/configmaps/evil`, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'evil' },
  }),
  'change a ConfigMap': { method: 'PATCH', path: `${SHOP}/configmaps/kube-root-ca.crt`, body: { data: { a: 'b' } } },
  'change a namespace': { method: 'PATCH', path: SHOP, body: { metadata: { labels: { a: 'b' } } } },
  'change a Service': {
    method: 'PATCH',
    path: `/api/v1/namespaces/${SYSTEM}/services/${OWN}`,
    body: { spec: { externalName: 'evil.example.com' } },
  },
  'change a node': { method: 'PATCH', path: '/api/v1/nodes/any', body: { metadata: { labels: { a: 'b' } } } },
  'list pods': { method: 'GET', path: '/api/v1/pods' },
  'list ServiceAccounts': { method: 'GET', path: '/api/v1/serviceaccounts' },
  'read the metrics of the API server': { method: 'GET', path: '/metrics' },
};

const entry = (changes: object): object => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: OWN },
  webhooks: [
    {
      name: 'ignore.vaultinjection.dev',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      clientConfig: { service: { name: OWN, namespace: SYSTEM, path: '/' } },
      rules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] }],
      ...changes,
    },
  ],
});
const reviewing = (group: string, ...resources: string[]): object =>
  entry({ rules: [{ apiGroups: [group], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources }] });
const ROLE = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  ...{ kind: 'ClusterRole', name: OWN, uid: '0e6f6d1a-0000-4000-8000-000000000000' },
};
const owned = (...ownerReferences: object[]): object => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: OWN, ownerReferences },
});
const event = (name: string, reportingComponent: string): object => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name, namespace: 'shop' },
  involvedObject: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' },
  ...{ reason: 'Told', message: 'told', type: 'Normal', reportingComponent, reportingInstance: 'x' },
});
const revision = (name: string, ...ownerReferences: object[]): object => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: { name, namespace: 'shop', ownerReferences },
  ...{ revision: 1, data: {} },
});
const uid = 'b1c9e1b4-2b1a-4f64-9c7e-2a1c6d0f0c11';
const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid, controller: true };
const probe = `${OWN}-probe`;
const asKubelet = { message: 'evil', reportingComponent: OWN };

/** What RBAC cannot refuse, and config/guard does. */
const GUARDED: Readonly<Record<string, readonly [says: string, theft: Theft]>> = {
  'have reviews sent to an address of its own': [
    'may send reviews only',
    apply(CONFIGURATION, entry({ clientConfig: { url: 'https://evil.example.com' } })),
  ],
  'have reviews sent to another namespace': [
    'may send reviews only',
    apply(CONFIGURATION, entry({ clientConfig: { service: { name: 'evil', namespace: 'shop' } } })),
  ],
  'add an entry of another name': ['may send reviews only', apply(CONFIGURATION, entry({ name: 'evil.example.com' }))],
  'have another object own the configuration': [
    'make only a ClusterRole the owner',
    apply(CONFIGURATION, owned({ ...ROLE, apiVersion: 'apps/v1', kind: 'Deployment' })),
  ],
  'have a ClusterRole wait for the configuration': [
    'make only a ClusterRole the owner',
    apply(CONFIGURATION, owned({ ...ROLE, blockOwnerDeletion: true })),
  ],
  'have a ClusterRole control the configuration': [
    'make only a ClusterRole the owner',
    apply(CONFIGURATION, owned({ ...ROLE, controller: true })),
  ],
  'keep its configuration from being removed': [
    'add no finalizer',
    apply(CONFIGURATION, {
      ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration' },
      metadata: { name: OWN, finalizers: ['example.com/never'] },
    }),
  ],
  'have Secrets reviewed': ['may have only', apply(CONFIGURATION, reviewing('', 'secrets'))],
  'have ConfigMaps reviewed': ['may have only', apply(CONFIGURATION, reviewing('', 'configmaps'))],
  'have everything reviewed': ['may have only', apply(CONFIGURATION, reviewing('*', '*'))],
  'have subresources reviewed': ['may have only', apply(CONFIGURATION, reviewing('apps', 'deployments/scale'))],
  'delete a ControllerRevision of somebody else': [
    'only ControllerRevisions of',
    { method: 'DELETE', path: `${REVISIONS}/theirs` },
  ],
  'create one of nobody': ['only ControllerRevisions of', { method: 'POST', path: REVISIONS, body: revision('evil') }],
  'create one of a StatefulSet': [
    'only ControllerRevisions of',
    { method: 'POST', path: REVISIONS, body: revision('evil', owner) },
  ],
  'tell in the name of the kubelet': [
    'only Events of its own',
    { method: 'POST', path: `${SHOP}/events`, body: event('evil', 'kubelet') },
  ],
  'change what the kubelet told': [
    'only Events of its own',
    { method: 'PATCH', path: `${SHOP}/events/theirs`, body: asKubelet },
  ],
  'take another Lease of its namespace': [
    'only its own Leases',
    {
      method: 'POST',
      path: leases(SYSTEM),
      body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'evil' } },
    },
  ],
  'store the probe': [
    'only as a dry run',
    apply(`/api/v1/namespaces/${SYSTEM}/configmaps/${probe}`, {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: probe } },
    }),
  ],
};

describe('a stolen token of the operator', function () {
  this.timeout(120_000);
  let scene: Scene;

  before(async function () {
    this.timeout(BUILDING_MS);
    scene = await openScene();
    for (const namespace of ['shop', SYSTEM])
      await scene.cluster.kubectl('create', 'secret', 'generic', 'theirs', '-n', namespace);
    for (const object of [event('theirs', 'kubelet'), revision('theirs')])
      await scene.plane.kubectlOk(['create', '-f', '-'], JSON.stringify(object));
  });
  after(() => scene.stop());

  for (const [does, theft] of Object.entries(FORBIDDEN))
    it(`cannot ${does}`, async () => {
      const { status, message } = await scene.thief(theft);
      expect(message).to.contain('forbidden: User "system:serviceaccount:');
      expect(status).to.equal(403);
    });

  for (const [does, [says, theft]] of Object.entries(GUARDED))
    it(`cannot ${does}`, async () => {
      const { status, message } = await scene.thief(theft);
      expect(message).to.contain('vault-injection-operator-objects').and.contain(says);
      expect(status).to.be.within(403, 422);
    });

  it('cannot act as somebody else', async () => {
    const { stderr } = await scene.kubectl('get', 'secrets', '-A', '--as=admin', '--as-group=system:masters');
    expect(stderr).to.contain('cannot impersonate');
  });

  it('cannot have its Secret filled with a token of an account', async () => {
    await scene.operator.stop();
    await scene.cluster.kubectl('delete', 'secret', `${OWN}-webhook`, '-n', SYSTEM);
    const annotations = { 'kubernetes.io/service-account.name': 'default' };
    const type = 'kubernetes.io/service-account-token';
    const metadata = { name: `${OWN}-webhook`, annotations };
    const { message } = await scene.thief(apply(SECRET, { apiVersion: 'v1', kind: 'Secret', type, metadata }));
    expect(message).to.contain('may create no Secret of another type');
  });

  it('gets a token of the account for Vault, which may do nothing in the cluster', async () => {
    const asked: Theft = {
      method: 'POST',
      path: `/api/v1/namespaces/${SYSTEM}/serviceaccounts/${VAULT_ACCOUNT}/token`,
      body: tokenRequest,
    };
    expect((await scene.thief(asked)).status).to.equal(201);
    const token = await tokenOf(scene.plane, VAULT_ACCOUNT);
    for (const path of [`${SHOP}/configmaps`, '/apis/apps/v1/deployments', SECRETS, '/api/v1/namespaces', POLICIES])
      expect((await send(scene.plane, token, { method: 'GET', path })).status, path).to.equal(403);
  });

  it('has the rights of docs/reference/rights.md and of every account, and no other', async () => {
    const { stdout } = await scene.kubectl('auth', 'can-i', '--list', '-n', SYSTEM);
    const text = (resource: string, name: string, verbs: readonly string[]): string =>
      `${resource} ${name}: ${verbs.toSorted().join()}`;
    const found = stdout.split('\n').flatMap((line) => {
      const [, resource = '', paths, name = '', verbs = ''] =
        /^(\S+)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]$/.exec(line.trim()) ?? [];
      return paths === '' ? [text(resource, name, verbs.split(' '))] : [];
    });
    const listed = readRights().flatMap(({ groups, resources, names, verbs }) =>
      resources.flatMap((resource) =>
        (names.length === 0 ? [''] : names).map((name) => text(resourceText(resource, groups), name, verbs)),
      ),
    );
    const isEveryones = (line: string): boolean => /^(selfsubject\w+|clustertrustbundles)\./.test(line);
    expect(found.filter((line) => !isEveryones(line))).to.have.members(listed);
  });
});
