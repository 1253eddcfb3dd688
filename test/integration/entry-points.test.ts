import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { buildImage } from '../../build/image.ts';
import { defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { createAuthority, type Authority } from '../support/pki.ts';
import { pushImage } from '../support/registry-push.ts';
import { REGISTRY_USER, startRegistry, type LocalRegistry } from '../support/registry.ts';
import { Cluster, WRAPPER, type Live } from './cluster.ts';
import { container, deployment, policy, type Workload } from './manifests.ts';

const ROOT = join(import.meta.dirname, '../..');
const ACCOUNT = ['vault-injection-operator', '-n', 'vault-injection-system'];

/** Takes connections, and answers no request: a registry that hangs. */
async function startHangingServer(authority: Authority): Promise<{ host: string; stop: () => Promise<void> }> {
  const { certificate: cert, key } = await authority.server('hanging', ['127.0.0.1']);
  const server = createServer({ cert, key }, () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The YAML in the guide, so that it is what people apply that is tested. */
function manifestsOfGuide(): unknown[] {
  const guide = readFileSync(join(ROOT, 'docs/guides/private-registries.md'), 'utf8');
  const yaml = /```yaml\n([^]*?)```/.exec(guide)?.[1] ?? '';
  return parseAllDocuments(yaml).map((document) => document.toJS() as unknown);
}

describe('containers without a command on a real API server', function () {
  this.timeout(60_000);
  let dir: string;
  let plane: ControlPlane;
  let cluster: Cluster;
  let open: LocalRegistry;
  let closed: LocalRegistry;
  let hanging: { host: string; stop: () => Promise<void> };
  let operator: RunningOperator;
  let startOperatorHere: () => Promise<RunningOperator>;

  before(async function () {
    this.timeout(BUILDING_MS);
    dir = mkdtempSync(join(tmpdir(), 'entry-points-'));
    const authority = await createAuthority('registries');
    const ca = join(dir, 'ca.pem');
    writeFileSync(ca, authority.certificate);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    open = await startRegistry({ authority });
    closed = await startRegistry({ authority, auth: 'htpasswd' });
    hanging = await startHangingServer(authority);
    const config = { entrypoint: ['/docker-entrypoint.sh'], cmd: ['serve', '--greeting=$(HOSTNAME)'] };
    const image = buildImage({ name: 'x', files: [], config }, join(dir, 'image.tar'));
    const credentials = Buffer.from(`${REGISTRY_USER.username}:${REGISTRY_USER.password}`).toString('base64');
    await pushImage(open, 'shop', '1', image);
    await pushImage({ ...closed, authorization: `Basic ${credentials}` }, 'shop', '1', image);
    // As the ServiceAccount that the manifests make: what it may not read, it does not read here.
    await plane.kubectlOk(['apply', '-k', defaultConfig()]);
    const token = (await plane.kubectlOk(['create', 'token', ...ACCOUNT, '--duration=1h'])).trim();
    const kubeconfig = plane.kubeconfigWithToken('operator', token);
    const labels = { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'arm64' };
    await cluster.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'small', labels } });
    const registries = [open.host, closed.host, hanging.host].join(',');
    startOperatorHere = () =>
      startOperator({
        controlPlane: { ...plane, kubeconfig },
        flags: ['--registries', registries, '--registry-ca', ca, '--registry-timeout', '1500ms'],
      });
    operator = await startOperatorHere();
    for (const failurePolicy of ['Fail', 'Ignore']) {
      const namespace = failurePolicy === 'Fail' ? 'shop' : 'lenient';
      await cluster.namespace(namespace);
      await cluster.policy(policy(namespace, 'shop', { failurePolicy }));
    }
  });
  after(async () => {
    await operator.stop();
    await open.stop();
    await closed.stop();
    await hanging.stop();
    await plane.stop();
    rmSync(dir, { recursive: true });
  });

  function manifest(namespace: string, name: string, host: string, podSpec: object = {}): Workload {
    const app = container('app', { image: `${host}/shop:1` });
    delete app.command;
    delete app.args;
    const workload = deployment(namespace, name, [app]);
    Object.assign(workload.spec.template.spec, podSpec);
    return workload;
  }

  const argsOf = (live: Live): string[] | undefined => live.spec.template.spec.containers[0]?.args;
  const WORDS = ['--', '/docker-entrypoint.sh', 'serve', '--greeting=$$(HOSTNAME)'];
  const refusal = (applied: Promise<string>): Promise<string> =>
    applied.then(
      () => 'it was admitted',
      (error: unknown) => (error as Error).message,
    );

  const admitted = async (workload: Workload): Promise<true | undefined> =>
    (await refusal(cluster.apply(workload))) === 'it was admitted' ? true : undefined;

  it('are looked up for the platform of the nodes', () => {
    expect(operator.log()).to.match(/"platforms":"linux\/arm64"/);
  });

  it('are injected with the entrypoint from the registry', async () => {
    await cluster.apply(manifest('shop', 'open', open.host));
    const live = await cluster.get('shop', 'open');
    expect(live.spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
    expect(argsOf(live)).to.deep.equal(WORDS);
  });

  it('stay the same when they are applied again', async () => {
    const app = manifest('shop', 'again', open.host);
    await cluster.apply(app);
    const { metadata } = await cluster.get('shop', 'again');
    await cluster.apply(app);
    await cluster.apply(app);
    expect((await cluster.get('shop', 'again')).metadata.generation).to.equal(metadata.generation);
  });

  it('are denied, with the reason, while their image cannot be pulled', async () => {
    expect(await refusal(cluster.apply(manifest('shop', 'private', closed.host)))).to.contain(
      `the entry point of ${closed.host}/shop:1 is not known: ${closed.host} denies access without credentials`,
    );
  });

  it('are admitted as they are, with the reason, if the policy ignores failures', async () => {
    const said = await cluster.apply(manifest('lenient', 'private', closed.host));
    expect(said).to.contain('Warning: not injected: container app has no command: set one, or add its image to images');
    expect(said).to.contain(`Warning: image of container app: ${closed.host} denies access without credentials`);
    expect(argsOf(await cluster.get('lenient', 'private'))).to.equal(undefined);
  });

  describe('with a pull secret', () => {
    before(async () => {
      const credentials = [
        `--docker-username=${REGISTRY_USER.username}`,
        `--docker-password=${REGISTRY_USER.password}`,
      ];
      for (const namespace of ['shop', 'lenient']) {
        const secret = ['create', 'secret', 'docker-registry', 'regcred', '-n', namespace];
        await cluster.kubectl(...secret, `--docker-server=${closed.host}`, ...credentials);
      }
    });

    it('that the operator may not read are told which one, and where to find what to do', async () => {
      const imagePullSecrets = [{ name: 'regcred' }];
      const said = await refusal(cluster.apply(manifest('shop', 'unread', closed.host, { imagePullSecrets })));
      expect(said).to.contain('see docs/guides/private-registries.md: the operator could not read pull secret regcred');
    });

    it('are injected once the Role of the guide lets it read that one', async () => {
      for (const object of manifestsOfGuide()) await cluster.apply(object);
      const imagePullSecrets = [{ name: 'regcred' }];
      const app = manifest('shop', 'with-secret', closed.host, { imagePullSecrets });
      // the authorizer of the API server and the operator's memory of the failure each take their time
      await eventually('the workload to be admitted', () => admitted(app));
      expect(argsOf(await cluster.get('shop', 'with-secret'))).to.deep.equal(WORDS);
    });

    it('of their ServiceAccount are injected too', async () => {
      const names = JSON.stringify({ imagePullSecrets: [{ name: 'regcred' }] });
      await cluster.kubectl('create', 'serviceaccount', 'puller', '-n', 'shop');
      await cluster.kubectl('patch', 'serviceaccount', 'puller', '-n', 'shop', '--type=merge', '-p', names);
      await cluster.apply(manifest('shop', 'with-account', closed.host, { serviceAccountName: 'puller' }));
      expect(argsOf(await cluster.get('shop', 'with-account'))).to.deep.equal(WORDS);
    });

    it('gain nothing from what other namespaces may pull', async () => {
      const imagePullSecrets = [{ name: 'regcred' }];
      const said = await cluster.apply(manifest('lenient', 'elsewhere', closed.host, { imagePullSecrets }));
      expect(said).to.contain('could not read pull secret regcred');
    });
  });

  it('are answered within the deadline, with the reason, while their registry hangs', async () => {
    const said = await refusal(cluster.apply(manifest('shop', 'hanging', hanging.host)));
    expect(said).to.contain(`${hanging.host} did not answer within 1.5 s`);
    expect(await cluster.apply(manifest('lenient', 'hanging', hanging.host))).to.contain('did not answer within 1.5 s');
  });

  describe('while their registry is down', () => {
    before(async () => {
      await cluster.apply(manifest('shop', 'kept', open.host));
      await open.pause();
    });

    it('keep their injection through updates, even if the operator has lost all it knew', async () => {
      const { template } = (await cluster.get('shop', 'kept')).spec;
      await operator.stop();
      operator = await startOperatorHere();
      const said = await eventually('the new operator to be asked', async () => {
        const { stderr, code } = await plane.kubectl([
          'label',
          '--overwrite',
          'deployment/kept',
          '-n',
          'shop',
          'note=1',
        ]);
        return code === 0 ? stderr : undefined;
      });
      expect(said).to.contain(`container app keeps its previously known entry point: ${open.host}: connection refused`);
      expect((await cluster.get('shop', 'kept')).spec.template).to.deep.equal(template);
    });

    it('are admitted as they are if the policy ignores failures, and its status says why', async () => {
      const said = await cluster.apply(manifest('lenient', 'mended', open.host));
      expect(said).to.contain(`${open.host}: connection refused`);
      expect(argsOf(await cluster.get('lenient', 'mended'))).to.equal(undefined);
      const attention = await eventually('the status to tell', async () => {
        const text = await cluster.kubectl('get', 'vip', 'shop', '-n', 'lenient', '-o', 'json');
        const { status } = JSON.parse(text) as { status?: { attention?: { name: string }[] } };
        return status?.attention?.find(({ name }) => name === 'mended');
      });
      expect(attention).to.deep.include({ state: 'Failed', reason: 'EntrypointUnknown' });
    });

    it('are denied, with the reason, and injected when it is back', async () => {
      const app = manifest('shop', 'outage', open.host);
      expect(await refusal(cluster.apply(app))).to.contain(`${open.host}: connection refused`);
      await open.resume();
      await eventually('the workload to be admitted', () => admitted(app), 20_000);
      expect(argsOf(await cluster.get('shop', 'outage'))).to.deep.equal(WORDS);
    });

    it('are then injected by the operator, if they were admitted as they are', async () => {
      const isInjected = async (): Promise<true | undefined> =>
        argsOf(await cluster.get('lenient', 'mended')) === undefined ? undefined : true;
      await eventually('the operator to ask the registry again', isInjected, 50_000);
      expect(argsOf(await cluster.get('lenient', 'mended'))).to.deep.equal(WORDS);
    });
  });

  it('are counted', async () => {
    const { body } = await operator.health('/metrics');
    expect(body).to.match(/vault_injection_image_lookups_total\{result="Found"\} [1-9]/);
    expect(body).to.match(/vault_injection_image_lookups_total\{result="Unauthorized"\} [1-9]/);
    expect(body).to.match(/vault_injection_image_lookups_total\{result="TooSlow"\} [1-9]/);
    expect(body).to.match(/vault_injection_image_cache_size 1\n/);
  });

  it('leave no credential in the log', () => {
    expect(operator.log()).to.contain('denied');
    expect(operator.log()).not.to.contain(REGISTRY_USER.password);
  });
});
