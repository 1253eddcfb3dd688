/**
 * What the authors of a namespace's policies and workloads send to have the operator's identity in Vault: its token, or
 * what it can see. They have a server of their own, which would take the token, and say whatever they want.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { createAuthority } from '../support/pki.ts';
import { pretendKubelet, type PretendedKubelet } from '../support/pretended-kubelet.ts';
import {
  allowRotation,
  enableJwtAuth,
  enableKubernetesAuth,
  identityFlags,
  OPERATOR,
  startVault,
  writeSecret,
  type Vault,
} from '../support/vault.ts';
import { Cluster } from '../integration/cluster.ts';
import { container, deployment, policy, type Workload } from '../integration/manifests.ts';

const VERSIONS = 'vaultinjection.dev/versions';
// two polls, and the time for which pods have to be available
const LOOKING_MS = 12_000;
// what they may know, what another namespace may know, and what none may
const OWN = 'secret/data/evil/own';
const GOODS = 'secret/data/good/db';
const NOBODYS = 'secret/data/bank/db';

describe("authors who want the operator's identity in Vault", function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let vault: Vault;
  let cluster: Cluster;
  let operator: RunningOperator;
  let kubelets: readonly PretendedKubelet[] = [];
  let theirs: Server;
  let theirCa: string;
  /** What their server was sent. */
  const taken: string[] = [];
  let audit: string;

  before(async function () {
    this.timeout(BUILDING_MS);
    [plane, vault] = await Promise.all([startControlPlane(), startVault()]);
    cluster = new Cluster(plane);
    await plane.kubectlOk(['apply', '-k', join(import.meta.dirname, '../../config/default')]);
    await plane.kubectlOk(['scale', 'deployment', OPERATOR.name, '-n', OPERATOR.namespace, '--replicas=0']);
    await enableKubernetesAuth(vault, plane);
    await enableJwtAuth(vault, plane);
    await allowRotation(vault);
    for (const path of [OWN, GOODS, NOBODYS]) await writeSecret(vault, path, { password: 'canary-value' });
    audit = join(vault.dir, 'audit.log');
    await vault.api('PUT', 'sys/audit/file', { type: 'file', options: { file_path: audit } });
    await listen();
    const token = (await plane.kubectlOk(['create', 'token', OPERATOR.name, '-n', OPERATOR.namespace])).trim();
    operator = await startOperator({
      controlPlane: { ...plane, kubeconfig: plane.kubeconfigWithToken('operator', token) },
      flags: [
        ...identityFlags(
          vault,
          { paths: ['secret/data/{namespace}/*'], namespaces: ['evil', 'good'] },
          { name: 'of-others', namespaces: ['bank'] },
        ),
        ...['--vault-check-hosts', `127.0.0.1:${theirPort()}`],
      ],
    });
    for (const namespace of ['evil', 'good']) {
      await cluster.namespace(namespace);
      await cluster.policy(attack(namespace, {}));
    }
    // a loopback address, which only the entry names
    await cluster.policyIs('good', 'all', 'VaultReachable', 'True');
    await cluster.apply(reading('good', 'web', 1, GOODS));
    await cluster.apply(reading('evil', 'own', 1, OWN));
    kubelets = ['evil', 'good'].map((namespace) =>
      pretendKubelet(plane, namespace, ({ metadata }) => metadata.labels?.app !== 'stuck'),
    );
    for (const [namespace, name] of [
      ['evil', 'own'],
      ['good', 'web'],
    ] as const) {
      await eventually(`what ${name} may know`, async () => (await versionsOf(namespace, name)) ?? undefined, 60_000);
    }
  });
  after(async () => {
    await Promise.all(kubelets.map((kubelet) => kubelet.stop()));
    await operator.stop();
    theirs.closeAllConnections();
    theirs.close();
    await Promise.all([vault.stop(), plane.stop()]);
  });
  afterEach(() => {
    expect(taken.filter((request) => !request.startsWith('GET /v1/sys/health'))).to.deep.equal([]);
    expect(taken.join()).not.to.match(/eyJ/);
    expect(operator.running()).to.equal(true);
  });

  async function listen(): Promise<void> {
    const authority = await createAuthority('theirs');
    const { certificate, key } = await authority.server('vault', ['127.0.0.1', 'localhost', 'vault.vault.svc']);
    theirCa = authority.certificate;
    theirs = createServer({ cert: certificate, key }, (request, response) => {
      let body = '';
      request.on('data', (piece: Buffer) => (body += piece.toString()));
      request.on('end', () => {
        taken.push(`${request.method ?? ''} ${request.url ?? ''} ${JSON.stringify(request.headers)} ${body}`);
        response.end(JSON.stringify({ auth: { client_token: 'theirs', lease_duration: 60 }, data: {} }));
      });
    });
    theirs.on('connect', (request) => taken.push(`CONNECT ${request.url ?? ''}`));
    await new Promise<void>((resolve) => theirs.listen(0, '127.0.0.1', resolve));
  }

  const theirPort = (): number => (theirs.address() as AddressInfo).port;

  /** The policy of a namespace, with what its author has thought of. */
  function attack(namespace: string, about: object, entry = ''): Record<string, unknown> {
    const theVault = { address: vault.tlsAddress, timeout: '1s', tls: { caBundle: vault.caPem } };
    const rotation = { strategy: 'Restart', interval: '5s', vault: entry };
    return policy(namespace, 'all', { failurePolicy: 'Ignore', vault: { ...theVault, ...about }, rotation });
  }

  function reading(namespace: string, name: string, replicas: number, ...paths: string[]): Workload {
    const env = paths.map((path, index) => ({ name: `SECRET_${index}`, value: `vault:${path}#password` }));
    const manifest = deployment(namespace, name, [container('app', { env })]);
    manifest.spec.replicas = replicas;
    return manifest;
  }

  async function versionsOf(namespace: string, name: string): Promise<string | undefined> {
    return (await cluster.get(namespace, name)).metadata.annotations?.[VERSIONS];
  }

  /** What Vault was asked, by its own log: operation and path. */
  function asked(): string[] {
    const lines = readFileSync(audit, 'utf8').trim().split('\n').filter(Boolean);
    const entries = lines.map((line) => JSON.parse(line) as { type: string; request: Record<string, string> });
    return entries
      .filter(({ type }) => type === 'request')
      .map(({ request }) => `${request.operation ?? ''} ${request.path ?? ''}`);
  }

  const rotatingIs = (reason: string): Promise<string> =>
    eventually(`Rotating to be ${reason}`, async () => {
      const path = '{range .status.conditions[?(@.type=="Rotating")]}{.reason}: {.message}{end}';
      const said = await cluster.kubectl('get', 'vip', 'all', '-n', 'evil', '-o', `jsonpath=${path}`);
      return said.startsWith(`${reason}: `) ? said : undefined;
    });

  const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOKING_MS));

  /** Everything that people of the namespace can read about this, but manifests. */
  async function published(): Promise<string> {
    const events = await cluster.kubectl('get', 'events', '-n', 'evil', '-o', 'jsonpath={..message}');
    const status = await cluster.kubectl('get', 'vip', 'all', '-n', 'evil', '-o', 'jsonpath={.status}');
    const annotations = '{range .items[*]}{.metadata.annotations.vaultinjection\\.dev/versions}{end}';
    const versions = await cluster.kubectl('get', 'deployments', '-n', 'evil', '-o', `jsonpath=${annotations}`);
    return `${events}\n${status}\n${versions}`;
  }

  it('get no token at their server by its address', async () => {
    await cluster.apply(attack('evil', { address: `https://127.0.0.1:${theirPort()}`, tls: { caBundle: theirCa } }));
    await rotatingIs('RotationVaultNotAllowed');
    await look();
  });

  it('nor by a CA, a server name and a proxy of theirs for the address of the real one', async () => {
    const tls = { caBundle: theirCa, serverName: 'vault.vault.svc' };
    await cluster.apply(attack('evil', { tls, proxyURL: `http://127.0.0.1:${theirPort()}` }));
    await cluster.kubectl('annotate', 'deployment', 'own', '-n', 'evil', 'vaultinjection.dev/apply=now');
    await look();
    await rotatingIs('RotationActive');
  });

  it('nor do they choose where in Vault it logs in, and as what', async () => {
    await cluster.apply(attack('evil', { auth: { method: 'JWT', mountPath: 'jwt', role: 'theirs' } }));
    await look();
    await rotatingIs('RotationActive');
    const logins = asked().filter((one) => one.includes('login'));
    expect([...new Set(logins)]).to.deep.equal(['update auth/kubernetes/login']);
  });

  it('nor get an entry that is not theirs, or does not exist', async () => {
    await cluster.apply(attack('evil', {}, 'of-others'));
    // nor learn that there is one
    expect(await rotatingIs('RotationVaultUnknown')).to.contain('no entry of-others for the namespace evil');
    await cluster.apply(attack('evil', {}, 'none'));
    expect(
      await eventually('the other one to be named', async () => {
        const said = await rotatingIs('RotationVaultUnknown');
        return said.includes('no entry none for the namespace evil') ? said : undefined;
      }),
    ).to.not.contain('of-others');
    await cluster.apply(attack('evil', {}));
    await rotatingIs('RotationActive');
  });

  it('learn nothing of paths that are not theirs, however they write them, and whatever they note on the workload', async () => {
    const ways = [
      NOBODYS,
      '/secret/data/bank/db',
      'secret//data/bank/db',
      'secret/data/evil/../bank/db',
      'secret/data/evil/%2e%2e/bank/db',
      'secret/data/Evil/../bank/db',
      'secret/data/bank/none',
    ];
    const manifest = reading('evil', 'curious', 1, ...ways, GOODS);
    const noted = Object.fromEntries([...ways, GOODS].map((path) => [path, 1]));
    manifest.metadata.annotations = { [VERSIONS]: JSON.stringify(noted) };
    for (const path of [GOODS, NOBODYS]) await writeSecret(vault, path, { password: 'canary-value' });
    const before = asked().length;
    await cluster.apply(manifest);
    expect(await rotatingIs('RotationPathNotAllowed')).to.contain(GOODS);
    await look();
    const { annotations } = (await cluster.get('evil', 'curious')).metadata;
    expect(annotations?.['vaultinjection.dev/restart']).to.equal(undefined);
    expect(
      asked()
        .slice(before)
        .filter((one) => /metadata\/(bank|Evil)|metadata\/[^ ]*\/\.\./.test(one)),
    ).to.deep.equal([]);
    expect(await published()).not.to.match(
      /has version|no such KV version 2 secret: [^;]*bank|"secret\/data\/[a-z]+\/db":2/,
    );
    expect(await versionsOf('evil', 'own'), 'while they get what is theirs').to.equal(JSON.stringify({ [OWN]: 1 }));
    await cluster.kubectl('delete', 'deployment', 'curious', '-n', 'evil');
  });

  it('learn nothing by workloads without pods, or with pods that do not start', async () => {
    const before = asked().length;
    await writeSecret(vault, 'secret/data/evil/hidden', { password: 'canary-value' });
    for (const [name, replicas] of [
      ['scaled', 0],
      ['stuck', 1],
    ] as const) {
      await cluster.apply(reading('evil', name, replicas, 'secret/data/evil/hidden', 'secret/data/evil/none'));
    }
    // one that runs, and then refers to more
    await cluster.apply(reading('evil', 'own', 0, OWN, 'secret/data/evil/hidden'));
    expect(await rotatingIs('RotationIdle')).to.contain('3 workloads without pods that have started');
    await look();
    const since = asked().slice(before);
    expect(since.filter((one) => one.startsWith('read ') && /metadata\/evil\/(hidden|none)/.test(one))).to.deep.equal(
      [],
    );
    expect([await versionsOf('evil', 'scaled'), await versionsOf('evil', 'stuck')]).to.deep.equal([
      undefined,
      undefined,
    ]);
    expect(await published()).not.to.match(/evil\/(hidden|none)/);
    await cluster.apply(reading('evil', 'own', 1, OWN, 'secret/data/evil/hidden'));
    await eventually('it to be known when pods have started with it', async () =>
      (await versionsOf('evil', 'own'))?.includes('hidden') === true ? true : undefined,
    );
  });
});
