/** config/external-webhook: the installer keeps the webhook configuration, and the operator has no right to write it. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';

import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { exposeLoopback } from '../support/loopback-service.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { OPERATOR } from '../support/vault.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const SECRET = ['secret', 'vault-injection-operator-webhook', '-n', OPERATOR.namespace];
const CONFIGURATION = ['mutatingwebhookconfiguration', 'vault-injection-operator'];

/** The arguments of kubectl by which the guide reads the CAs and the token. */
function templatesOfGuide(): readonly [string, string] {
  const guide = readFileSync(join(ROOT, 'config/README.md'), 'utf8');
  const [cas, token] = [...guide.matchAll(/-o go-template='(.*)'/g)].map(([, template]) => template);
  if (cas === undefined || token === undefined)
    throw new Error('config/README.md does not say how to read CAs and token');
  return [cas, token];
}

describe('a webhook configuration that the installer keeps', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    await plane.kubectlOk(['apply', '--server-side', '-k', join(ROOT, 'config/external-webhook')]);
    const inNamespace = [OPERATOR.name, '-n', OPERATOR.namespace];
    const env = 'jsonpath={.spec.template.spec.containers[0].env}';
    expect(await plane.kubectlOk(['get', 'deployment', ...inNamespace, '-o', env])).to.contain('"External"');
    await plane.kubectlOk(['scale', 'deployment', ...inNamespace, '--replicas=0']);
    await plane.kubectlOk(['delete', 'service', ...inNamespace]);
    await exposeLoopback(plane, OPERATOR.namespace, OPERATOR.name);
    const token = (await plane.kubectlOk(['create', 'token', ...inNamespace])).trim();
    operator = await startOperator({
      controlPlane: {
        kubeconfig: plane.kubeconfigWithToken('operator', token),
        kubectlOk: (args, stdin) => plane.kubectlOk(args, stdin),
      },
      prepare: false,
      service: OPERATOR.name,
      flags: ['--webhook-configuration', 'External', '--certificate-wait', '1s'],
    });
    // the port is not the Service's here
    await changeEntries((index) => [
      { op: 'replace', path: `/webhooks/${index}/clientConfig/service/port`, value: operator.webhookPort },
    ]);
    await cluster.namespace('shop');
    await cluster.apply(policy('shop', 'shop'));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  async function changeEntries(changesOf: (index: number) => object[]): Promise<void> {
    const patch = JSON.stringify([0, 1, 2].flatMap(changesOf));
    await plane.kubectlOk(['patch', ...CONFIGURATION, '--type=json', '-p', patch]);
  }
  const storedToken = (): Promise<string> =>
    plane.kubectlOk(['get', ...SECRET, '-o', `go-template=${templatesOfGuide()[1]}`]);
  const publish = (token: string): Promise<void> =>
    changeEntries((index) => {
      const value = ['/mutate', token, ['ignore', 'fail', 'probe'][index]].filter((part) => part !== '').join('/');
      return [{ op: 'add', path: `/webhooks/${index}/clientConfig/service/path`, value }];
    });
  /** Posts an empty body; resolves with the status. */
  function statusOf(path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json' };
      const options = { method: 'POST', rejectUnauthorized: false, headers, agent: false as const };
      request(operator.webhookUrl + path, options, (incoming) => resolve(incoming.resume().statusCode ?? 0))
        .on('error', reject)
        .end();
    });
  }
  const says = (text: string): Promise<true> =>
    eventually(`Programmed to say ${text}`, async () => {
      const path = '{range .status.conditions[?(@.type=="Programmed")]}{.reason}: {.message}{end}';
      const now = await cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', `jsonpath=${path}`);
      return now.startsWith('ConfigurationLacking: ') && now.includes(text) ? true : undefined;
    });

  it('is told to lack the CA, until somebody copies it', async () => {
    await says('lacks the CA in ca.crt of the Secret vault-injection-operator-webhook');
    const pem = await plane.kubectlOk(['get', ...SECRET, '-o', `go-template=${templatesOfGuide()[0]}`]);
    const value = Buffer.from(pem).toString('base64');
    await changeEntries((index) => [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value }]);
  });

  it('is told to lack the path, until somebody copies its token', async () => {
    await says('lacks the path /mutate/TOKEN/fail with the token in path-token of the Secret');
    await publish(await storedToken());
    await eventually('it to be ready', async () => (await operator.health('/readyz')).status === 200 || undefined);
  });

  it('is told to leave the namespace out, until somebody labels it', async () => {
    await says('leaves out namespace shop: it selects vaultinjection.dev/webhook In [Fail]');
    await cluster.kubectl('label', 'namespace', 'shop', 'vaultinjection.dev/webhook=Fail');
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
    await cluster.apply(deployment('shop', 'web'));
    const { spec } = await cluster.get('shop', 'web');
    expect(spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
  });

  it('gets another token when somebody asks, which is accepted before it is copied, as the one before is after', async () => {
    const before = await storedToken();
    await plane.kubectlOk(['annotate', ...SECRET, 'vaultinjection.dev/renew=today']);
    const after = await eventually('another token', async () => {
      const token = await storedToken();
      return token === before ? undefined : token;
    });
    const answered = [before, after].map((token) => `/mutate/${token}/fail`);
    await eventually('it to be accepted', async () => (await statusOf(answered[1] ?? '')) === 400 || undefined);
    expect(await Promise.all(answered.map(statusOf)), 'before it is copied').to.deep.equal([400, 400]);
    await publish(after);
    await cluster.apply(deployment('shop', 'renewed'));
    await eventually(
      'the one before to be refused',
      async () => (await statusOf(answered[0] ?? '')) === 503 || undefined,
    );
    await cluster.apply(deployment('shop', 'later'));
    expect(await statusOf('/mutate/fail'), 'without a token').to.equal(404);
  });

  it('is answered at paths of the installer: with another token, or without one', async () => {
    for (const [name, token] of [
      ['own', 'abcde'.repeat(8)],
      ['fixed', ''],
    ] as const) {
      await publish(token);
      await cluster.policyIs('shop', 'shop', 'Ready', 'True');
      await eventually(`${name} to be injected`, async () => {
        await cluster.apply(deployment('shop', name));
        const { spec } = await cluster.get('shop', name);
        return spec.template.spec.containers[0]?.command?.includes(WRAPPER) === true ? true : undefined;
      });
    }
    expect(operator.log()).to.contain('paths in the webhook configuration have no token');
  });

  it('is told to differ, is not repaired, and is applied again without a change of the CA', async () => {
    await plane.kubectlOk([
      'patch',
      ...CONFIGURATION,
      '--type=json',
      '-p',
      '[{"op":"replace","path":"/webhooks/1/timeoutSeconds","value":7}]',
    ]);
    await says('its entry fail.vaultinjection.dev differs from config/external-webhook in timeoutSeconds');
    await plane.kubectlOk(['apply', '--server-side', '--force-conflicts', '-k', join(ROOT, 'config/external-webhook')]);
    await changeEntries((index) => [
      { op: 'replace', path: `/webhooks/${index}/clientConfig/service/port`, value: operator.webhookPort },
    ]);
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
  });

  it('is not written by the operator, which may not', async () => {
    expect(operator.log()).not.to.match(/forbidden|webhook configuration written/i);
    const as = `--as=system:serviceaccount:${OPERATOR.namespace}:${OPERATOR.name}`;
    for (const verb of ['create', 'update', 'patch', 'delete']) {
      const { stdout } = await plane.kubectl(['auth', 'can-i', verb, CONFIGURATION.join('s/'), as]);
      expect(stdout, verb).to.match(/^no\b/);
    }
  });
});
