import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { hiddenIn } from '../support/hostile-text.ts';
import { eventually, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import { Cluster } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';
import type { Workload } from './manifests.ts';

interface Denied {
  readonly status?: { readonly lastDenial?: { readonly name: string; readonly message: string } };
}

describe('names and texts of others, with a real API server', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let operator: RunningOperator;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane });
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop', { environment: { allowedPaths: ['secret/data/shop/*'] } }));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  const lastDenial = async (): Promise<NonNullable<Denied['status']>['lastDenial']> =>
    (JSON.parse(await cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', 'json')) as Denied).status?.lastDenial;
  const denialOf = (name: string): Promise<string> =>
    eventually(`the denial of ${name}`, async () => {
      const denial = await lastDenial();
      return denial?.name === name ? denial.message : undefined;
    });
  const events = (): Promise<string> =>
    cluster.kubectl('get', 'events', '-n', 'shop', '-o', 'jsonpath={.items[*].message}');
  const sent = async (manifest: Workload): Promise<{ said: string; code: number }> => {
    const path = '/apis/apps/v1/namespaces/shop/deployments';
    const { stdout, stderr, code } = await plane.kubectl(
      ['create', '--raw', path, '-f', '-'],
      JSON.stringify(manifest),
    );
    return { said: `${stdout}${stderr}`, code };
  };
  const app = (fields: object = {}): ReturnType<typeof container> => container('app', fields);
  const elsewhere = app({ env: [{ name: 'DB', value: 'vault:secret/data/other/db#password' }] });

  it('leave a name that is none to the API server, and report nothing of the workload', async () => {
    for (const name of ['../x', 'Web', 'a%2fb', 'a b']) {
      const { said, code } = await sent(deployment('shop', name, [app()]));
      expect(code, name).not.to.equal(0);
      expect(said).to.contain('metadata.name');
      expect((await sent(deployment('shop', name, [elsewhere]))).said).to.contain('policy shop does not allow');
    }
    expect((await sent(deployment('shop', 'denied', [elsewhere]))).said).to.contain('policy shop does not allow');
    expect(await denialOf('denied')).to.contain('the path secret/data/other/db');
    expect(await events()).not.to.match(/Deployment (Web|\.\.|a)/);
  });

  it('ask for no object whose name is none', async () => {
    const name = '../secrets/x';
    const of = { env: [{ name: 'A', value: '', valueFrom: { configMapKeyRef: { name, key: 'k' } } }] };
    const { said, code } = await sent(deployment('shop', 'odd', [app(of)]));
    expect(code).not.to.equal(0);
    expect(said).to.contain('configMapKeyRef.name').and.contain('Invalid value');
    expect(operator.log()).not.to.contain(name);
  });

  it('show what they hold: to the author, in the status and in Events', async () => {
    const image = 'registry.invalid/\u001b[31m\u202eppa\u2066\u200b:1';
    const { said } = await sent(deployment('shop', 'turned', [app({ image, command: undefined })]));
    const message = await denialOf('turned');
    for (const text of [message, await events(), said.trim()]) expect(hiddenIn(text), text).to.deep.equal([]);
    expect(message).to.contain('registry.invalid/\ufffd[31m\ufffdppa\ufffd\ufffd:1');
    expect(said).to.contain('registry.invalid/\ufffd[31m\ufffdppa');
  });

  it('show nothing of what is in a ConfigMap', async () => {
    const values = { CANARY_DENIED: 'vault:secret/data/canary/db#canary', CANARY_BAD: 'vault:secret/data/canary' };
    for (const [key, value] of Object.entries(values)) {
      const name = key.toLowerCase().replace('_', '-').replace('canary', 'held');
      await cluster.kubectl('create', 'configmap', name, '-n', 'shop', `--from-literal=${key}=${value}`);
      const env = { env: undefined, envFrom: [{ configMapRef: { name } }] };
      const { said } = await sent(deployment('shop', name, [app(env)]));
      if (key === 'CANARY_DENIED') {
        expect(said)
          .to.contain(`a variable from ConfigMap ${name}: refers to a path`)
          .and.not.match(/canary/i);
        expect(await denialOf(name)).to.not.match(/canary/i);
      }
    }
    const failing = await eventually('the workload that does not start to be reported', async () => {
      const text = await cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', 'jsonpath={.status.attention}');
      return text.includes('ReferenceMalformed') ? text : undefined;
    });
    expect(failing)
      .to.contain('a variable from ConfigMap held-bad')
      .and.not.match(/canary/i);
    expect(await events())
      .to.contain('a variable from ConfigMap held-bad')
      .and.not.match(/canary/i);
    expect(operator.log()).not.to.match(/canary/i);
  });
});
