/** What the status of a policy says about pods, which two replicas review, one is ended and one comes. */
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import type { VaultInjectionPolicyStatus } from '../../core/policy/policy.generated.ts';
import { startReplicas } from '../chaos/replica-set.ts';
import type { Replica, ReplicaSet } from '../chaos/replica-set.ts';
import { BUILDING_MS } from '../support/building.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';
import { Cluster } from './cluster.ts';
import { container, policy } from './manifests.ts';
import { workload } from './workload-manifests.ts';

type PodStatus = NonNullable<VaultInjectionPolicyStatus['pods']>;

const NAMESPACE = 'pods';
const REFERENCE = 'vault:secret/data/shop/db#password';
const REFUSED = 'vault:secret/data/other/db#password';
// a replica tells the others every 10 s, and the leader writes every 30 s
const WRITTEN_MS = 90_000;
const TOLD_MS = 12_000;

describe('pods that two replicas review', function () {
  this.timeout(180_000);
  let plane: ControlPlane;
  let cluster: Cluster;
  let set: ReplicaSet;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    cluster = new Cluster(plane);
    set = await startReplicas({ plane, count: 2 });
    await cluster.namespace(NAMESPACE);
    await plane.kubectlOk(['wait', '--for=create', 'serviceaccount/default', '-n', NAMESPACE, '--timeout=60s']);
    const environment = { allowedPaths: ['secret/data/shop/*'] };
    await cluster.policy(policy(NAMESPACE, 'pods', { targets: ['Pod'], environment }));
  });
  after(async () => {
    await set.close();
    await plane.stop();
  });

  const create = (value: string, ...flags: readonly string[]): ReturnType<ControlPlane['kubectl']> => {
    const env = [{ name: 'DB_PASSWORD', value }];
    const { metadata, ...rest } = workload('Pod', { namespace: NAMESPACE, containers: [container('app', { env })] });
    const pod = { ...rest, metadata: { ...metadata, name: undefined, generateName: 'web-' } };
    return plane.kubectl(['create', '-f', '-', ...flags], JSON.stringify(pod));
  };

  /** All connections lead to this replica from now on; then pods are created. */
  async function createBy(replica: Replica, values: readonly string[]): Promise<void> {
    set.balancer.aim([replica.operator.webhookPort]);
    // a dry run is not counted
    await eventually(
      `pods to be sent to ${replica.name}`,
      async () =>
        (await create(REFERENCE, '--dry-run=server', '-o', 'json')).stdout.includes('VAULT_ENV_CONFIG') || undefined,
    );
    for (const value of values) {
      const { code, stderr } = await create(value);
      if (value === REFUSED) expect(code).not.to.equal(0);
      else expect([code, stderr]).to.deep.equal([0, '']);
    }
  }

  async function podsAre(what: string, is: (pods: PodStatus) => boolean): Promise<PodStatus> {
    let last: PodStatus | undefined;
    return eventually(
      what,
      async () => {
        const text = await plane.kubectlOk(['get', 'vip', 'pods', '-n', NAMESPACE, '-o', 'json']);
        last = (JSON.parse(text) as { status?: VaultInjectionPolicyStatus }).status?.pods;
        return last !== undefined && is(last) ? last : undefined;
      },
      WRITTEN_MS,
      () => JSON.stringify(last),
    );
  }

  /** What each process has told, without its id. */
  const told = ({ counted = [] }: PodStatus): readonly string[] =>
    counted.map((text) => text.split(' ')[1] ?? '').sort();

  it('are added up, those that have no name yet and one that is refused, which an Event tells of', async () => {
    const [first, second] = set.replicas;
    if (first === undefined || second === undefined) throw new Error('there are no two replicas');
    await createBy(first, [REFERENCE, REFERENCE, REFUSED]);
    await createBy(second, [REFERENCE, 'text', 'text']);
    const pods = await podsAre(
      'all six to be counted',
      ({ injected, denied, unchanged }) => injected + denied + unchanged === 6,
    );
    expect(pods).to.include({ injected: 3, denied: 1, failed: 0, unchanged: 2 });
    expect(told(pods)).to.deep.equal(['1/0/0/2', '2/1/0/0']);
    const denied = await eventually('an Event', async () => {
      const path = 'jsonpath={range .items[?(@.reason=="Denied")]}{.involvedObject.kind} {.message}{"\\n"}{end}';
      const found = await plane.kubectlOk(['get', 'events', '-n', NAMESPACE, '-o', path]);
      return found.split('\n').find((line) => line.startsWith('VaultInjectionPolicy '));
    });
    expect(denied).to.match(/ Pod web-: .*secret\/data\/other\/db/);
  });

  it('are counted once after the leader was killed, by the replica that is left and by one that comes', async () => {
    const leader = set.replicas.find((replica) => replica.isLeader());
    const other = set.replicas.find((replica) => !replica.isLeader());
    if (leader === undefined || other === undefined) throw new Error('one of two replicas should lead');
    await createBy(leader, [REFERENCE]);
    await sleep(TOLD_MS);
    await set.kill(leader);
    await createBy(other, [REFERENCE, REFERENCE]);
    const newcomer = await set.start();
    await createBy(newcomer, ['text']);
    const pods = await podsAre('all ten to be counted', ({ injected, unchanged }) => injected >= 6 && unchanged >= 3);
    expect(pods).to.include({ injected: 6, denied: 1, failed: 0, unchanged: 3 });
    expect(told(pods)).to.have.length(3);
  });
});
