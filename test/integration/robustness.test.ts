import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { deleteFromEtcd } from '../support/etcd.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';
import { webhookPath } from '../support/webhook-path.ts';

const CONFIGURATION = 'mutatingwebhookconfiguration/vault-injection-operator';
const SECRET = 'secret/vault-injection-operator-webhook';
const SYSTEM = 'vault-injection-system';
// an outage long enough for every watch to break and the backoff to grow
const OUTAGE_MS = 60_000;

describe('the operator when things break', function () {
  this.timeout(240_000);
  let plane: ControlPlane;
  let operator: RunningOperator;
  let cluster: Cluster;

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    operator = await startOperator({ controlPlane: plane, flags: ['--log-level', 'debug'] });
    cluster = new Cluster(plane);
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop'));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  let known = '';
  /** The URL of the entry fail; while no API server says it, the one that was known last. */
  async function url(): Promise<string> {
    known = await webhookPath(plane, 'fail').catch(() => known);
    return operator.webhookUrl + known;
  }

  const review = (namespace = 'shop'): Buffer => {
    const object = deployment(namespace, 'reviewed');
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
    const request = { uid: 'u-1', kind, namespace, name: 'reviewed', operation: 'CREATE', object };
    return Buffer.from(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }));
  };

  /** True when a Deployment created now is injected; undefined when it is not, or cannot be created. */
  async function injects(name: string): Promise<true | undefined> {
    const live = await cluster.fresh(deployment('shop', name)).catch(() => undefined);
    return live?.spec.containers[0]?.command?.[0] === WRAPPER ? true : undefined;
  }

  for (const what of [CONFIGURATION, SECRET]) {
    it(`has its ${what.split('/')[0] ?? ''} back within 10 s when somebody deletes it, and injects`, async () => {
      await cluster.kubectl('delete', what, '-n', SYSTEM);
      const back = async (): Promise<true | undefined> =>
        (await plane.kubectl(['get', what, '-n', SYSTEM])).code === 0 ? true : undefined;
      await eventually(`${what} to be back`, back, 10_000);
      await eventually('a Deployment to be injected', () => injects('after-delete'), 10_000);
    });
  }

  it('reverts what somebody changes in its webhook configuration', async () => {
    const patch = [
      { op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: 'Cg==' },
      { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' },
    ];
    await cluster.kubectl('patch', CONFIGURATION, '--type=json', '-p', JSON.stringify(patch));
    await eventually('a Deployment to be injected', () => injects('after-change'), 10_000);
  });

  it('creates new certificates when the Secret is overwritten with garbage, and injects', async () => {
    await cluster.kubectl(
      'patch',
      SECRET,
      '-n',
      SYSTEM,
      '--type=merge',
      '-p',
      '{"data":{"tls.crt":"Zm9v","ca.crt":"Zm9v"}}',
    );
    await eventually('a Deployment to be injected', () => injects('after-rubbish'), 10_000);
    expect(operator.running()).to.equal(true);
  });

  it('reports Vault as unreachable, and keeps the policy in force all the same', async () => {
    await cluster.policyIs('shop', 'shop', 'VaultReachable', 'False');
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
  });

  it('keeps the last good rule when a policy becomes one that it cannot accept', async () => {
    await cluster.policy(policy('shop', 'broken', { selector: { matchLabels: { app: 'broken' } } }));
    const tls = { caBundle: '-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----' };
    await cluster.apply(policy('shop', 'broken', { vault: { address: 'https://vault.example.com', tls } }));
    await cluster.policyIs('shop', 'broken', 'Accepted', 'False');
    await cluster.policyIs('shop', 'broken', 'Ready', 'False');
    expect(await injects('broken')).to.equal(true);
    await cluster.kubectl('delete', 'vip', 'broken', '-n', 'shop');
  });

  it('survives an API server that is down for a minute, and learns what was deleted meanwhile', async () => {
    await cluster.namespace('gone');
    await cluster.policy(policy('gone', 'gone'));
    await url();
    await plane.stopApiServer();
    await deleteFromEtcd(plane.etcdEndpoint, '/registry/vaultinjection.dev/vaultinjectionpolicies/gone/gone');
    await sleep(OUTAGE_MS);
    expect(operator.running(), 'it lives').to.equal(true);
    const served = await post(await url(), review());
    expect([served.status, served.body], 'it does not answer by rules that may be old').to.deep.equal([
      503,
      'policies: they may be out of date: the API server has not confirmed them for 15 s\n',
    ]);
    expect((await operator.health('/readyz')).status).to.equal(503);
    await plane.startApiServer();
    await eventually(
      'the deleted policy to be forgotten',
      async () => {
        const { body } = await post(await url(), review('gone'));
        return body.includes('knows no policy of the namespace') ? true : undefined;
      },
      60_000,
    );
    await eventually('a Deployment to be injected', () => injects('after-outage'), 30_000);
    await cluster.policyIs('shop', 'shop', 'Ready', 'True');
  });

  it('answers 1,000 malformed bodies with the right status and keeps its memory', async () => {
    const good = review();
    const nested = `{"a":`.repeat(100_000);
    const malformed: [status: number, body: Buffer, headers?: Record<string, string>][] = [
      [400, good.subarray(0, good.length / 2)],
      [400, Buffer.from('')],
      [400, Buffer.from('null')],
      [400, Buffer.from('{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u"}}')],
      [400, Buffer.from('{"kind":"Pod","apiVersion":"v1"}')],
      [400, Buffer.from(nested)],
      [413, Buffer.alloc(8 * 2 ** 20, 0x20)],
      [415, good, { 'content-type': 'text/yaml' }],
    ];
    const to = await url();
    const round = async (): Promise<void> => {
      for (const [status, body, headers] of malformed) {
        expect((await post(to, body, headers)).status).to.equal(status);
      }
    };
    for (let n = 0; n < 25; n++) await round(); // warm: buffers and heap have their size
    const before = residentMiB(operator.pid);
    for (let n = 0; n < 100; n++) await round();
    expect(operator.running()).to.equal(true);
    expect((await post(to, good)).body).to.include('"patch":');
    expect(residentMiB(operator.pid) - before, 'MiB more after 800 of them').to.be.below(48);
  });

  it('survives clients that disconnect, send no TLS, or nothing at all', async () => {
    const { hostname, port, pathname } = new URL(await url());
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', `POST ${pathname} HTTP/1.1\r\nContent-Length: 100\r\n\r\n{`]) {
      const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      socket.write(bytes);
      await sleep(20);
      socket.destroy();
    }
    expect((await post(await url(), review())).status).to.equal(200);
  });

  it('lets no value of a manifest, and no path of the webhook, reach its log, metrics, events or status', async () => {
    const canary = `canary-${Date.now()}`;
    const secretive = container('app', {
      command: ['/bin/shop', `--token=${canary}`],
      args: [canary],
      env: [
        { name: 'PLAIN', value: canary },
        { name: 'BAD', value: `vault:${canary}` },
        { name: 'DB', value: 'vault:secret/data/db#x' },
      ],
    });
    await cluster.apply(deployment('shop', 'canary', [secretive]));
    await cluster
      .apply(
        deployment('shop', 'canary-denied', [container('app', { args: [`${canary}${'x'.repeat(300_000)}`] })]),
        '--server-side',
      )
      .catch(() => undefined);
    await eventually('the review to be logged', () => (operator.log().includes('canary-denied') ? true : undefined));
    const places = {
      log: operator.log(),
      metrics: (await operator.health('/metrics')).body,
      events: await cluster.kubectl('get', 'events', '-A', '-o', 'json'),
      policies: await cluster.kubectl('get', 'vip', '-A', '-o', 'json'),
    };
    const [, , token = ''] = (await webhookPath(plane, 'fail')).split('/');
    expect(token).to.have.length(40);
    for (const [place, text] of Object.entries(places)) {
      expect(text, `${place} and the path of the webhook`).to.not.include(token);
      expect(text, `${place} is not empty`).to.have.length.above(10);
      expect(text, place).to.not.include(canary);
    }
  });

  it('ends by itself on SIGTERM, with exit status 0 and a last line that says so', async () => {
    const second = await startOperator({ controlPlane: plane });
    await second.stop('SIGTERM');
    expect(second.running()).to.equal(false);
    expect(second.exitCode()).to.equal(0);
  });
});

function residentMiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1024;
}

/**
 * POSTs to the webhook; the certificate is not under test here. Resolves with the response, even if it arrives before
 * the end of the body.
 */
function post(
  url: string,
  body: Buffer,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      rejectUnauthorized: false,
      headers: { 'content-type': 'application/json', 'content-length': body.length, ...headers },
    };
    let answered = false;
    const call = request(url, options, (response) => {
      answered = true;
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    // a refused upload is answered and then cut off: the answer counts
    call.on('error', (error) => (answered ? undefined : reject(error)));
    call.end(body);
  });
}
