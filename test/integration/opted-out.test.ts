import { expect } from 'chai';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';

const ACCOUNT = ['vault-injection-operator', '-n', 'vault-injection-system'];

describe('pods that opted out of tokens for the API server, on a real one', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    // with the rights of the manifests, and the ServiceAccount's token, which names the API server's audience
    await plane.kubectlOk(['apply', '-k', defaultConfig()]);
    const token = (await plane.kubectlOk(['create', 'token', ...ACCOUNT, '--duration=1h'])).trim();
    const [own = ''] = audiencesOf(token);
    const kubeconfig = plane.kubeconfigWithToken('operator', token);
    operator = await startOperator({
      controlPlane: { ...plane, kubeconfig },
      flags: ['--source-interval', '1s'],
    });
    for (const [namespace, audience, failurePolicy] of [
      ['strict', '', 'Fail'],
      ['named', own, 'Fail'],
      ['lenient', '', 'Ignore'],
      ['vault', undefined, 'Fail'],
    ] as const) {
      await cluster.namespace(namespace);
      for (const [name, isMounted] of Object.entries({ open: true, quiet: false }))
        await cluster.apply({
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name, namespace },
          automountServiceAccountToken: isMounted,
        });
      const auth = { role: 'shop', ...(audience === undefined ? {} : { audience }) };
      await cluster.policy(policy(namespace, 'shop', { failurePolicy, vault: { address: 'https://vault', auth } }));
    }
  });

  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  async function apply(namespace: string, name: string, spec: object): Promise<string> {
    const manifest = deployment(namespace, name, [container()]);
    Object.assign(manifest.spec.template.spec, spec);
    return cluster.apply(manifest).catch((error: unknown) => (error as Error).message);
  }

  async function isWrapped(namespace: string, name: string): Promise<boolean> {
    const { spec } = await cluster.get(namespace, name);
    return spec.template.spec.containers[0]?.command?.[0] === WRAPPER;
  }

  for (const namespace of ['strict', 'named'])
    it(`get none under Fail, by template or ServiceAccount: ${namespace}`, async () => {
      expect(await apply(namespace, 'a', { automountServiceAccountToken: false })).to.match(
        /denied the request: policy shop would give its pods a token for the API server, and the pod template opts out/,
      );
      expect(await apply(namespace, 'b', { serviceAccountName: 'quiet' })).to.match(
        /ServiceAccount quiet opts out of it .*set vault.auth.audience in the policy/,
      );
      expect(await apply(namespace, 'c', { serviceAccountName: 'absent' })).to.contain('does not exist yet');
    });

  it('are asked about no more than needed: others are injected', async () => {
    await apply('strict', 'open', { serviceAccountName: 'open' });
    await apply('strict', 'explicit', { serviceAccountName: 'quiet', automountServiceAccountToken: true });
    await apply('vault', 'quiet', { serviceAccountName: 'quiet' });
    for (const [namespace, name] of [
      ['strict', 'open'],
      ['strict', 'explicit'],
      ['vault', 'quiet'],
    ] as const)
      expect(await isWrapped(namespace, name), name).to.equal(true);
  });

  it('get none under Ignore, and the status says so', async () => {
    expect(await apply('lenient', 'quiet', { serviceAccountName: 'quiet' })).to.contain(
      'Warning: not injected: policy shop must set vault.auth.audience',
    );
    expect(await isWrapped('lenient', 'quiet')).to.equal(false);
    await eventually('the workload to be told of', async () => {
      const status = await cluster.kubectl('get', 'vip', 'shop', '-n', 'lenient', '-o', 'jsonpath={.status}');
      return status.includes('"reason":"TokenOptedOut"') ? true : undefined;
    });
  });

  it('are told of when their ServiceAccount opts out later', async () => {
    await apply('lenient', 'changing', { serviceAccountName: 'open' });
    expect(await isWrapped('lenient', 'changing')).to.equal(true);
    const patch = JSON.stringify({ automountServiceAccountToken: false });
    await cluster.kubectl('patch', 'serviceaccount', 'open', '-n', 'lenient', '--type=merge', '-p', patch);
    await eventually('the workload to be told of', async () => {
      const status = await cluster.kubectl('get', 'vip', 'shop', '-n', 'lenient', '-o', 'jsonpath={.status.attention}');
      return status.includes('"name":"changing"') ? true : undefined;
    });
    // nothing is taken from pods that run
    expect(await isWrapped('lenient', 'changing')).to.equal(true);
  });

  it('are why the condition Accepted says what the tokens are good for', async () => {
    const message = (namespace: string): Promise<string> => {
      const path = 'jsonpath={.status.conditions[?(@.type=="Accepted")].message}';
      return cluster.kubectl('get', 'vip', 'shop', '-n', namespace, '-o', path);
    };
    expect(await message('strict')).to.contain('anybody who sees a token of its pods can use it at the API server');
    expect(await message('named')).to.contain('anybody who sees a token of its pods can use it at the API server');
    expect(await message('vault')).to.equal('the policy is valid');
  });
});

function audiencesOf(jwt: string): readonly string[] {
  const [, payload = ''] = jwt.split('.');
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { aud: readonly string[] }).aud;
}
