import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { expect } from 'chai';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { changesIn, defaultConfig, has } from '../support/kubernetes-versions.ts';
import { eventually, startOperator } from '../support/operator.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAMESPACE = 'vault-injection-system';

const POLICY = {
  apiVersion: 'vaultinjection.dev/v1alpha1',
  kind: 'VaultInjectionPolicy',
  metadata: { name: 'orders' },
  spec: { vault: { address: 'https://127.0.0.1:1' } },
};

describe('kubectl apply -k config/default', function () {
  this.timeout(60_000);
  let plane: ControlPlane;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    const { code, stderr } = await plane.kubectl(['apply', '-k', defaultConfig()]);
    // no warnings: Pod Security "restricted" takes the operator's pods
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  after(() => plane.stop());

  it('has nothing left to change after it was applied', async () => {
    const { code, stdout, stderr } = await plane.kubectl(['diff', '-k', defaultConfig()]);
    expect({ changes: changesIn(stdout), stderr }).to.deep.equal({ changes: [], stderr: '' });
    if (has('selectableFields')) expect({ code, stdout }).to.deep.equal({ code: 0, stdout: '' });
  });

  it('takes the components that limit the network', async () => {
    const overlay = join(plane.dir, 'overlay');
    mkdirSync(overlay);
    const config = relative(overlay, join(ROOT, 'config'));
    const components = [`${config}/network/api-servers`, `${config}/network/egress`];
    const resources = [`${config}/${basename(defaultConfig())}`];
    writeFileSync(
      join(overlay, 'kustomization.yaml'),
      JSON.stringify({ kind: 'Kustomization', resources, components }),
    );
    const { code, stderr } = await plane.kubectl(['apply', '-k', overlay]);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const policies = await plane.kubectlOk(['get', 'networkpolicies', '-n', NAMESPACE, '-o', 'name']);
    const names = ['egress', 'metrics', 'webhook'];
    expect(policies.trim().split('\n')).to.deep.equal(
      names.map((name) => `networkpolicy.networking.k8s.io/vault-injection-operator-${name}`),
    );
    const from = ['-n', NAMESPACE, '-o', 'jsonpath={.spec.ingress[*].from}'];
    expect(await plane.kubectlOk(['get', 'networkpolicy', 'vault-injection-operator-webhook', ...from])).to.contain(
      '192.0.2.0/24',
    );
  });

  it('creates pods of the operator', async () => {
    const selector = 'app.kubernetes.io/name=vault-injection-operator';
    await plane.kubectlOk(['wait', '--for=create', 'pod', '-n', NAMESPACE, '-l', selector, '--timeout=30s']);
  });

  it('gives the webhook a Service that finds these pods', async () => {
    const selectorOf = (kind: string, path: string): Promise<string> =>
      plane.kubectlOk(['get', kind, 'vault-injection-operator', '-n', NAMESPACE, '-o', `jsonpath={${path}}`]);
    const service = JSON.parse(await selectorOf('service', '.spec.selector')) as Record<string, string>;
    expect(JSON.parse(await selectorOf('deployment', '.spec.template.metadata.labels'))).to.include(service);
    expect(JSON.parse(await selectorOf('pdb', '.spec.selector.matchLabels'))).to.deep.equal(service);
  });

  describe('lets the operator', () => {
    const may = async (request: string): Promise<string> => {
      const as = `--as=system:serviceaccount:${NAMESPACE}:vault-injection-operator`;
      const { stdout, stderr } = await plane.kubectl(['auth', 'can-i', ...request.split(' '), as]);
      return stdout.trim() || stderr;
    };

    for (const request of [
      'list vaultinjectionpolicies -A',
      'watch vaultinjectionpolicies -A',
      'patch vaultinjectionpolicies --subresource=status -n shop',
      'list deployments.apps -A',
      'list statefulsets.apps -A',
      'watch deployments.apps -A',
      'patch deployments.apps -n shop',
      'patch statefulsets.apps -n shop',
      'create events -n shop',
      'patch events -n shop',
      'watch configmaps -A',
      'get serviceaccounts -n shop',
      'watch namespaces',
      ...['create', 'patch'].map((verb) => `${verb} configmaps/vault-injection-operator-probe -n ${NAMESPACE}`),
      ...['create', 'list', 'watch', 'patch', 'update', 'delete'].map(
        (verb) => `${verb} mutatingwebhookconfigurations/vault-injection-operator`,
      ),
      'get clusterroles/vault-injection-operator',
      ...['list', 'watch'].map((verb) => `${verb} customresourcedefinitions/vaultinjectionpolicies.vaultinjection.dev`),
      `create secrets/vault-injection-operator-webhook -n ${NAMESPACE}`,
      `patch secrets/vault-injection-operator-webhook -n ${NAMESPACE}`,
      `get secrets/vault-injection-operator-webhook -n ${NAMESPACE}`,
      `watch secrets/vault-injection-operator-webhook -n ${NAMESPACE}`,
      `update secrets/vault-injection-operator-webhook -n ${NAMESPACE}`,
      `create serviceaccounts/vault-injection-operator-vault --subresource=token -n ${NAMESPACE}`,
      ...['create', 'list', 'watch', 'patch', 'delete'].map(
        (verb) => `${verb} leases.coordination.k8s.io -n ${NAMESPACE}`,
      ),
      `update leases.coordination.k8s.io/vault-injection-operator-leader -n ${NAMESPACE}`,
    ])
      it(request, async () => {
        expect(await may(request)).to.equal('yes');
      });

    for (const request of [
      'patch vaultinjectionpolicies -n shop',
      'delete vaultinjectionpolicies -n shop',
      'update deployments.apps -n shop',
      'update statefulsets.apps -n shop',
      'create deployments.apps -n shop',
      'delete statefulsets.apps -n shop',
      'update configmaps -n shop',
      'create configmaps -n shop',
      'patch namespaces',
      'update leases.coordination.k8s.io/vault-injection-operator-leader -n shop',
      `update leases.coordination.k8s.io/of-somebody-else -n ${NAMESPACE}`,
      'list leases.coordination.k8s.io -n kube-system',
      'delete leases.coordination.k8s.io -n shop',
      'create mutatingwebhookconfigurations',
      'list mutatingwebhookconfigurations',
      'watch mutatingwebhookconfigurations',
      'get clusterroles/cluster-admin',
      'list clusterroles',
      'patch clusterroles/vault-injection-operator',
      'list customresourcedefinitions',
      'patch customresourcedefinitions/vaultinjectionpolicies.vaultinjection.dev',
      'patch mutatingwebhookconfigurations/of-somebody-else',
      'delete mutatingwebhookconfigurations/of-somebody-else',
      'create validatingwebhookconfigurations',
      'get secrets -n shop',
      `create secrets -n ${NAMESPACE}`,
      `create configmaps -n ${NAMESPACE}`,
      `delete secrets/vault-injection-operator-webhook -n ${NAMESPACE}`,
      `get secrets/of-somebody-else -n ${NAMESPACE}`,
      `list secrets -n ${NAMESPACE}`,
      'list serviceaccounts -A',
      'create serviceaccounts --subresource=token -n shop',
      `create serviceaccounts/vault-injection-operator --subresource=token -n ${NAMESPACE}`,
      `create serviceaccounts/of-somebody-else --subresource=token -n ${NAMESPACE}`,
      'list pods -A',
    ])
      it(`not ${request}`, async () => {
        expect(await may(request)).to.match(/^no\b/);
      });
  });

  it('is enough for the operator to work: the API server allows all its requests', async () => {
    const account = ['token', 'vault-injection-operator', '-n', NAMESPACE, '--duration=1h'];
    const token = (await plane.kubectlOk(['create', ...account])).trim();
    const kubeconfig = plane.kubeconfigWithToken('operator', token);
    const operator = await startOperator({ controlPlane: { ...plane, kubeconfig } });
    try {
      await plane.kubectlOk(['create', 'namespace', 'orders']);
      await plane.kubectlOk(['apply', '-n', 'orders', '-f', '-'], JSON.stringify(POLICY));
      const ready = ['vip/orders', '-n', 'orders', '--for=condition=Ready', '--timeout=30s'];
      await plane.kubectlOk(['wait', ...ready]);
      // once more from nothing: the Secret is recreated
      await plane.kubectlOk(['delete', 'secret', 'vault-injection-operator-webhook', '-n', NAMESPACE]);
      await eventually('the Secret to be back', async () => {
        const { code } = await plane.kubectl(['get', 'secret', 'vault-injection-operator-webhook', '-n', NAMESPACE]);
        return code === 0 ? true : undefined;
      });
    } finally {
      await operator.stop();
    }
    expect(operator.log()).not.to.match(/forbidden/i);
  });

  describe('lets', () => {
    const rights: readonly (readonly [role: string, verb: string, answer: string])[] = [
      ['view', 'list', 'yes'],
      ['view', 'create', 'no'],
      ['edit', 'list', 'yes'],
      ['edit', 'patch', 'no'],
      ['admin', 'create', 'yes'],
      ['admin', 'delete', 'yes'],
    ];
    const may = async (role: string, verb: string): Promise<string> => {
      const question = ['auth', 'can-i', verb, 'vaultinjectionpolicies', '-n', 'team', `--as=${role}or`];
      return (await plane.kubectl(question)).stdout.trim();
    };

    before(async () => {
      await plane.kubectlOk(['create', 'namespace', 'team']);
      for (const role of ['view', 'edit', 'admin'])
        await plane.kubectlOk([
          'create',
          'rolebinding',
          role,
          `--clusterrole=${role}`,
          `--user=${role}or`,
          '-n',
          'team',
        ]);
      // the controller manager copies rules into the aggregated roles, when it gets to it
      for (const [role, verb, answer] of rights)
        if (answer === 'yes')
          await eventually(`${role} to ${verb}`, async () => ((await may(role, verb)) === 'yes' ? true : undefined));
    });

    for (const [role, verb, answer] of rights)
      it(`${role} ${answer === 'yes' ? verb : `not ${verb}`} policies`, async () => {
        expect(await may(role, verb)).to.equal(answer);
      });
  });

  describe('then kubectl apply -k', () => {
    it('samples/demo is accepted without a warning, on one node and in a cluster', async () => {
      // a dry run sees the namespace as it is, and the samples are for a stricter one
      await plane.kubectlOk(['apply', '-f', join(ROOT, 'samples/policies/namespace.yaml')]);
      const lenient = 'pod-security.kubernetes.io/warn=privileged';
      // no operator runs, so that nothing is injected, which config/warnings would say
      const silent = 'vaultinjection.dev/warnings=off';
      await plane.kubectlOk(['label', '--overwrite', 'namespace', 'shop', lenient, silent]);
      for (const folder of ['samples/demo', 'samples/demo/in-cluster']) {
        const { code, stderr } = await plane.kubectl(['apply', '-k', join(ROOT, folder), '--dry-run=server']);
        expect({ folder, code, stderr }).to.deep.equal({ folder, code: 0, stderr: '' });
      }
    });

    for (const folder of ['samples/policies', 'samples/workloads', 'samples'])
      it(`${folder} is accepted without a warning`, async () => {
        const { code, stderr } = await plane.kubectl(['apply', '-k', join(ROOT, folder)]);
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      });
  });
});
