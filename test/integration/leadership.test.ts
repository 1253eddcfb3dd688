import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../kube/clock.ts';
import { ApiClient } from '../../kube/api-client.ts';
import { EventRecorder } from '../../kube/event-recorder.ts';
import type { Occurrence } from '../../kube/event-recorder.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import type { PooledKubeConfig } from '../../kube/kube-config.ts';
import { LeaderElection } from '../../kube/leader-election.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/operator.ts';
import { testLog } from '../support/test-log.ts';

describe('on a real API server', function () {
  this.timeout(60_000);
  let plane: ControlPlane;
  let kubeConfig: PooledKubeConfig;
  let client: ApiClient;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    kubeConfig = loadKubeConfig({ file: plane.kubeconfig, context: '' });
    client = new ApiClient({ kubeConfig, userAgent: 'test/1' });
  });

  after(async () => {
    await kubeConfig.close();
    await plane.stop();
  });

  it('one of two leads at any moment, the other after its death, and at once after it stopped', async () => {
    const dead = new Set<string>();
    // a process that is dead asks nothing any more, and hears nothing
    const asked = <T>(identity: string, call: () => Promise<T>): Promise<T> =>
      dead.has(identity) ? new Promise(() => undefined) : call();
    const elector = (identity: string): LeaderElection => {
      const own: Pick<ObjectClient, 'get' | 'create' | 'replace'> = {
        get: (...args) => asked(identity, () => client.get(...args)),
        create: (...args) => asked(identity, () => client.create(...args)),
        replace: (...args) => asked(identity, () => client.replace(...args)),
      };
      const { logger } = testLog();
      const shared = { namespace: 'default', name: 'operator', clock: systemClock, random: Math.random, logger };
      return new LeaderElection({ ...shared, client: own, identity });
    };
    const [first, second, third] = [elector('first'), elector('second'), elector('third')];
    const electors = [first, second, third];
    const most = { leaders: 0 };
    const look = setInterval(() => {
      most.leaders = Math.max(most.leaders, electors.filter(({ isLeader }) => isLeader).length);
    }, 10);
    try {
      first.start();
      await eventually('the first to lead', () => first.isLeader || undefined);
      second.start();
      await sleep(3_000);
      expect([first.isLeader, second.isLeader]).to.deep.equal([true, false]);
      dead.add('first');
      await eventually('the second to lead', () => second.isLeader || undefined, 30_000);
      third.start();
      await sleep(500);
      await second.stop();
      expect(await plane.kubectlOk(['get', 'lease', 'operator', '-o', 'jsonpath={.spec.holderIdentity}'])).to.equal('');
      await eventually('the third to lead', () => third.isLeader || undefined);
      const path = 'jsonpath={.spec.holderIdentity} {.spec.leaseTransitions}';
      expect(await plane.kubectlOk(['get', 'lease', 'operator', '-o', path])).to.equal('third 2');
    } finally {
      clearInterval(look);
      await Promise.all(electors.map((each) => each.stop()));
    }
    expect(most.leaders).to.equal(1);
  });

  it('events are where kubectl looks for them, and repeats of another process go to the same one', async () => {
    const config = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'web', uid: 'uid-1' };
    const occurrence: Occurrence = { regarding: config, type: 'Warning', reason: 'NotInjected', message: 'was missed' };
    for (const instance of ['a', 'b']) {
      const outcomes: string[] = [];
      const { logger } = testLog();
      const onOutcome = (outcome: string): void => void outcomes.push(outcome);
      const recorder = new EventRecorder({
        client,
        component: 'test',
        instance,
        clock: systemClock,
        logger,
        onOutcome,
      });
      recorder.record(occurrence);
      await eventually('the event to be written', () => (outcomes.length > 0 ? true : undefined));
      await recorder.stop();
      expect(outcomes).to.deep.equal(['Written']);
    }
    const lines = (await plane.kubectlOk(['events', '--for=configmap/web'])).trim().split('\n');
    expect(lines).to.have.length(2);
    expect(lines[1]).to.match(/Warning\s+NotInjected\s+ConfigMap\/web\s+was missed/);
  });
});
