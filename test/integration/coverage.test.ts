/** What the status of a policy says about kinds that no policy names, on a real API server. */
import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { defaultConfig } from '../support/kubernetes-versions.ts';
import { eventually, startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';
import type { VaultInjectionPolicyStatus } from '../../core/policy/policy.generated.ts';
import { Cluster } from './cluster.ts';
import { policy } from './manifests.ts';
import { workload } from './workload-manifests.ts';

describe('what no policy names', function () {
  this.timeout(120_000);
  let plane: ControlPlane;
  let operator: RunningOperator;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane();
    const cluster = new Cluster(plane);
    await plane.kubectlOk(['apply', '-k', defaultConfig()]);
    operator = await startOperator({ controlPlane: plane });
    await cluster.namespace('shop');
    await plane.kubectlOk(['wait', '--for=create', 'serviceaccount/default', '-n', 'shop', '--timeout=60s']);
    await cluster.policy(policy('shop', 'shop', { targets: ['Deployment'] }));
  });

  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  async function statusOf(name: string): Promise<VaultInjectionPolicyStatus> {
    const text = await plane.kubectlOk(['get', 'vip', name, '-n', name, '-o', 'json']);
    return (JSON.parse(text) as { status?: VaultInjectionPolicyStatus }).status ?? {};
  }

  async function eventsOf(name: string): Promise<readonly string[]> {
    const { items } = JSON.parse(await plane.kubectlOk(['get', 'events', '-n', name, '-o', 'json'])) as {
      items: { reason: string; message: string; involvedObject: { kind: string } }[];
    };
    const own = items.filter(({ involvedObject }) => involvedObject.kind === 'VaultInjectionPolicy');
    return own.map(({ reason, message }) => `${reason} ${message}`);
  }

  const create = async (object: unknown): Promise<{ stderr: string; code: number | null }> =>
    plane.kubectl(['create', '-f', '-'], JSON.stringify(object));

  it('a CronJob in a namespace whose policy is for Deployments: who reads the status knows what to add', async () => {
    const { code, stderr } = await create(workload('CronJob', { name: 'dump', namespace: 'shop' }));
    expect(code, stderr).to.equal(0);
    const { uncovered, conditions = [] } = await eventually('the status to name the kind', async () => {
      const status = await statusOf('shop');
      return status.uncovered === undefined ? undefined : status;
    });
    expect(uncovered?.map(({ kind, count, example }) => [kind, count, example])).to.deep.equal([
      ['CronJob', 1, 'dump'],
    ]);
    expect(uncovered?.[0]?.message).to.contain('add CronJob to spec.targets of this policy');
    expect(conditions.find(({ type }) => type === 'Ready')?.status, 'READY does not depend on it').to.equal('True');
    const told = await eventually('an Event', async () => {
      const found = (await eventsOf('shop')).filter((text) => text.startsWith('KindNotCovered '));
      return found.length > 0 ? found : undefined;
    });
    expect(told).to.have.length(1);
    expect(told[0]).to.contain('CronJob dump refers to Vault, and no policy of this namespace is for CronJobs');
  });

  it('and once the policy names it, the CronJob is counted as what it is', async () => {
    const targets = JSON.stringify({ spec: { targets: ['Deployment', 'CronJob'] } });
    await plane.kubectlOk(['patch', 'vip', 'shop', '-n', 'shop', '--type=merge', '-p', targets]);
    const { workloads } = await eventually('it to be injected', async () => {
      const status = await statusOf('shop');
      return status.uncovered === undefined && status.workloads?.injected === 1 ? status : undefined;
    });
    expect(workloads?.kinds?.map(({ kind, matched, injected }) => [kind, matched, injected])).to.deep.equal([
      ['CronJob', 1, 1],
    ]);
  });
});
