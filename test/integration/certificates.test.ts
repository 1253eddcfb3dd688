import { expect } from 'chai';

import { startBalancer, type Balancer } from '../support/balancer.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts';
import { eventually, startOperator, type RunningOperator } from '../support/operator.ts';
import { rotateUnderLoad, tableOf } from '../support/rotations.ts';
import { Cluster } from './cluster.ts';
import { container, deployment, policy } from './manifests.ts';

// make chaos runs 200
const ROTATIONS = Number(process.env.ROTATIONS ?? 10);
const DEPLOYMENTS = ['one', 'two', 'three', 'four'];
const LEASES = ['get', 'leases', '-n', 'vault-injection-system', '-l', 'vaultinjection.dev/replica', '-o', 'name'];

interface LastDenial {
  readonly status?: { readonly lastDenial?: { readonly name: string; readonly time: string } };
}

describe('two replicas', function () {
  this.timeout(BUILDING_MS);
  let plane: ControlPlane;
  let cluster: Cluster;
  let balancer: Balancer;
  const operators: RunningOperator[] = [];

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    cluster = new Cluster(plane);
    balancer = await startBalancer();
    await start();
    await start();
    balancer.aim(operators.map(({ webhookPort }) => webhookPort));
    await cluster.namespace('shop');
    await cluster.policy(policy('shop', 'shop', { environment: { allowedPaths: ['secret/data/shop/*'] } }));
    for (const name of DEPLOYMENTS) await cluster.apply(deployment('shop', name));
  });
  after(async () => {
    await Promise.all(operators.map((operator) => operator.stop()));
    await balancer.stop();
    await plane.stop();
  });

  async function start(): Promise<RunningOperator> {
    const started = await startOperator({
      controlPlane: plane,
      url: balancer.url,
      flags: ['--certificate-wait', '1s'],
    });
    operators.push(started);
    return started;
  }

  it(`lose no review while the authority is replaced ${ROTATIONS} times`, async () => {
    const options = { plane, operators, namespace: 'shop', deployments: DEPLOYMENTS, rotations: ROTATIONS };
    const result = await rotateUnderLoad(options);
    process.stdout.write(`${tableOf(result)}\n`);
    expect(result.failures).to.deep.equal([]);
    expect(result.reviews).to.be.greaterThan(ROTATIONS * DEPLOYMENTS.length);
  });

  for (const index of [0, 1])
    it(`have what replica ${index + 1} denied written into the status, with one event`, async () => {
      const { webhookPort } = operators[index] ?? {};
      balancer.aim(webhookPort === undefined ? [] : [webhookPort]);
      const name = `refused-${index}`;
      const env = [{ name: 'KEY', value: 'vault:secret/data/x#key' }];
      const refused = await cluster
        .apply(deployment('shop', name, [container('app', { env })]))
        .catch((error: unknown) => (error as Error).message);
      expect(refused).to.include('denied');
      const told = (): readonly boolean[] => operators.map((each) => each.log().includes(`"name":"${name}"`));
      // a line may be written after the answer is sent
      await eventually('one of them to log it', () => (told().includes(true) ? true : undefined));
      expect(told()).to.deep.equal([index === 0, index === 1]);
      await eventually('lastDenial', async () => {
        const found = JSON.parse(await cluster.kubectl('get', 'vip', 'shop', '-n', 'shop', '-o', 'json')) as LastDenial;
        return found.status?.lastDenial?.name === name ? true : undefined;
      });
      const events = await cluster.kubectl('get', 'events', '-n', 'shop', '-o', 'jsonpath={.items[*].message}');
      expect(events.split(`Deployment ${name}:`).length - 1).to.equal(1);
    });

  it('go on as one when the other has ended, whose Lease goes with it', async () => {
    expect((await cluster.kubectl(...LEASES)).trim().split('\n')).to.have.length(2);
    const [first, second] = operators;
    if (first === undefined || second === undefined) throw new Error('two were started');
    balancer.aim([second.webhookPort]);
    // with the time that a pod has
    process.kill(first.pid, 'SIGTERM');
    await eventually('the first one to end', () => (first.running() ? undefined : true));
    await first.stop();
    expect((await cluster.kubectl(...LEASES)).trim().split('\n')).to.have.length(1);
    const options = { plane, operators: [second], namespace: 'shop', deployments: DEPLOYMENTS, rotations: 1 };
    expect((await rotateUnderLoad(options)).failures).to.deep.equal([]);
  });
});
