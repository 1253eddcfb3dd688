import { expect } from 'chai';

import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { exposeLoopback } from '../support/loopback-service.ts';
import { startOperator, type RunningOperator } from '../support/operator.ts';
import { Cluster, WRAPPER } from './cluster.ts';
import { deployment, policy } from './manifests.ts';

describe('the webhook behind a Service', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let operator: RunningOperator;
  let cluster: Cluster;

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    operator = await startOperator({ controlPlane: plane, service: 'webhook' });
    await exposeLoopback(plane, 'vault-injection-system', 'webhook');
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop'));
  });
  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  it('is found by its name, and trusted by the name in its certificate', async () => {
    await cluster.apply(deployment('shop', 'app'));
    const live = await cluster.get('shop', 'app');
    expect(live.spec.template.spec.containers[0]?.command).to.deep.equal([WRAPPER]);
  });

  it('is not asked about namespaces without a policy', async () => {
    await operator.stop();
    await cluster.namespace('elsewhere');
    await cluster.apply(deployment('elsewhere', 'app'));
    const refused = await cluster
      .apply(deployment('shop', 'other'))
      .catch((error: unknown) => (error as Error).message);
    expect(refused).to.include('failed calling webhook "fail.vaultinjection.dev"');
  });
});
