import { expect } from 'chai';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { exposeLoopback } from '../support/loopback-service.ts';
import { allowReading, createJwtRole, createRole, enableJwtAuth, enableKubernetesAuth } from '../support/vault.ts';
import { startVault, writeSecret, type Vault } from '../support/vault.ts';

describe('the local cluster for tests', function () {
  this.timeout(60_000);
  let cluster: ControlPlane;
  let vault: Vault;

  before(async function () {
    this.timeout(BUILDING_MS);
    cluster = await startControlPlane();
    vault = await startVault();
  });

  after(async () => {
    await vault.stop();
    await cluster.stop();
  });

  it('creates ReplicaSets for Deployments', async () => {
    await cluster.kubectlOk(['create', 'deployment', 'web', '--image=web:1']);
    await cluster.kubectlOk(['wait', '--for=create', 'replicaset', '-l', 'app=web', '--timeout=20s']);
  });

  it('enforces Pod Security if a namespace asks for it', async () => {
    await cluster.kubectlOk(['create', 'namespace', 'strict']);
    await cluster.kubectlOk(['label', 'namespace', 'strict', 'pod-security.kubernetes.io/enforce=restricted']);
    await cluster.kubectlOk(['wait', '--for=create', '-n', 'strict', 'serviceaccount/default', '--timeout=20s']);
    const { code, stderr } = await cluster.kubectl(['run', '-n', 'strict', 'careless', '--image=web:1']);
    expect(code).to.equal(1);
    expect(stderr).to.contain('violates PodSecurity "restricted:latest"');
  });

  it('keeps its data and its address while the API server is stopped and started', async () => {
    await cluster.kubectlOk(['create', 'configmap', 'kept', '--from-literal=a=b']);
    await cluster.stopApiServer();
    expect((await cluster.kubectl(['get', 'configmap', 'kept'])).code).to.equal(1);
    await cluster.startApiServer();
    expect(await cluster.kubectlOk(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'])).to.equal('b');
  });

  it('lets a ServiceAccount log in to Vault with a token issued for it, and with no other', async () => {
    await enableKubernetesAuth(vault, cluster);
    await allowReading(vault, 'shop', ['secret/data/shop/*']);
    await createRole(vault, 'shop', { namespaces: ['default'], policies: ['shop'], audience: 'vault' });
    await writeSecret(vault, 'secret/data/shop/db', { password: 'from-vault' });

    expect(await read(await logIn('kubernetes', 'shop', 'vault'), 'secret/data/shop/db')).to.deep.equal({
      password: 'from-vault',
    });
    await rejects(logIn('kubernetes', 'shop', 'somebody-else'), '403');
  });

  it('lets a ServiceAccount log in to Vault by the signature of its token', async () => {
    await enableJwtAuth(vault, cluster);
    await createJwtRole(vault, 'shop', { policies: ['default'], audience: 'vault' });
    expect(await logIn('jwt', 'shop', 'vault')).to.be.a('string');
    await rejects(logIn('jwt', 'shop', 'somebody-else'), '400');
  });

  it('calls a webhook on loopback by its Service', async () => {
    const asked = await webhookOnLoopback(cluster, 'default', 'hook');
    await cluster.kubectlOk(['create', 'configmap', 'admitted']);
    expect(asked()).to.deep.equal(['hook.default.svc admitted']);
  });

  it('leaves no process and no file behind', async () => {
    const another = await startControlPlane({ controllers: false });
    await another.stop();
    expect(existsSync(another.dir)).to.be.false;
    expect(await fetch(`${another.etcdEndpoint}/health`).catch(() => 'gone')).to.equal('gone');
  });

  async function logIn(mountPath: string, role: string, audience: string): Promise<string> {
    const jwt = await cluster.kubectlOk(['create', 'token', 'default', `--audience=${audience}`]);
    const answer = await vault.api('POST', `auth/${mountPath}/login`, { role, jwt: jwt.trim() }, '');
    return (answer.auth as { client_token: string }).client_token;
  }

  async function read(token: string, path: string): Promise<unknown> {
    return ((await vault.api('GET', path, undefined, token)).data as { data: unknown }).data;
  }
});

/**
 * Starts a webhook that admits every ConfigMap of its namespace; returns what it was asked, by server name and object.
 */
async function webhookOnLoopback(cluster: ControlPlane, namespace: string, name: string): Promise<() => string[]> {
  const asked: string[] = [];
  const { certificate: cert, key } = await cluster.authority.server(name, [`${name}.${namespace}.svc`]);
  const server = createServer({ cert, key }, (req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text: string) => (body += text));
    req.once('end', () => {
      const review = JSON.parse(body) as { request: { uid: string; name: string } };
      asked.push(`${(req.socket as unknown as { servername: string }).servername} ${review.request.name}`);
      res
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ ...review, response: { uid: review.request.uid, allowed: true } }));
    });
  });
  server.unref().listen(0, '127.0.0.1');
  await once(server, 'listening');
  await exposeLoopback(cluster, namespace, name);
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.org`,
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: {
          service: { namespace, name, path: '/', port: (server.address() as AddressInfo).port },
          caBundle: Buffer.from(cluster.caPem).toString('base64'),
        },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE'] }],
      },
    ],
  };
  await cluster.kubectlOk(['apply', '-f', '-'], JSON.stringify(configuration));
  // The API server takes a moment (20 to 150 ms seen) to hear of its new configuration.
  for (let i = 0; i < 100 && asked.length === 0; i++) {
    await cluster.kubectlOk(['create', 'configmap', 'probe', '-n', namespace, '--dry-run=server']);
  }
  asked.length = 0;
  return () => asked;
}

async function rejects(promise: Promise<unknown>, message: string): Promise<void> {
  const outcome = await promise.then(
    () => 'it did not fail',
    (error: unknown) => String(error),
  );
  expect(outcome).to.contain(message);
}
