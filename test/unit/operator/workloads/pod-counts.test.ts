import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import type { PublishedPods } from '../../../../operator/replicas/state.ts';
import { PodCounts } from '../../../../operator/workloads/pod-counts.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';

const POLICIES: Resource = {
  group: 'vaultinjection.dev',
  version: 'v1alpha1',
  plural: 'vaultinjectionpolicies',
  namespace: 'shop',
};

describe('PodCounts', () => {
  let clock: ManualClock;
  let api: MemoryApi;
  let isLeader: boolean;
  let isKnownField: boolean;
  let uids: Map<string, string>;
  let told: Map<string, PublishedPods[]>;
  let counts: PodCounts;
  let log: ReturnType<typeof testLog>;

  beforeEach(async () => {
    clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
    api = new MemoryApi();
    [isLeader, isKnownField] = [true, true];
    told = new Map();
    uids = new Map();
    log = testLog();
    counts = another();
    await policy('policy');
  });
  afterEach(() => counts.stop());

  async function policy(name: string): Promise<void> {
    const head = { apiVersion: 'vaultinjection.dev/v1alpha1', kind: 'VaultInjectionPolicy' };
    const { metadata } = await api.create(POLICIES, { ...head, metadata: { name, namespace: 'shop' } });
    uids.set(`shop/${name}`, metadata.uid ?? '');
  }

  function another(): PodCounts {
    return new PodCounts({
      client: api,
      isLeader: () => isLeader,
      states: () => [...told].map(([identity, pods]) => ({ identity, pods })),
      uidOf: (policyKey) => uids.get(policyKey),
      isKnownField: () => isKnownField,
      clock,
      random: () => 1,
      logger: log.logger,
    });
  }

  /** A replica tells how many pods it has injected since it began. */
  function tell(replica: string, injected: number, name = 'policy', uid = uids.get(`shop/${name}`) ?? ''): void {
    const now = Math.floor(clock.now() / 1000);
    const one = { policy: `shop/${name}`, uid, injected, denied: 0, failed: 0, unchanged: 0, first: now, last: now };
    told.set(replica, [...(told.get(replica) ?? []).filter(({ policy: other }) => other !== one.policy), one]);
    counts.look();
  }

  const writes = (): number => api.calls.filter((call) => call.startsWith('apply')).length;
  async function injected(name = 'policy'): Promise<unknown> {
    const found = await api.get<KubernetesObject>(POLICIES, name);
    return (found?.status as { pods?: { injected: number } } | undefined)?.pods?.injected;
  }

  it('writes the first at once, then at most every 30 s, all that was told', async () => {
    tell('a', 1);
    await clock.advance(0);
    expect(await injected()).to.equal(1);
    for (let turn = 2; turn <= 30; turn++) {
      await clock.advance(1_000);
      tell('a', turn * 83);
      tell('b', turn);
    }
    expect(writes()).to.equal(1);
    await clock.advance(30_000);
    expect(await injected()).to.equal(30 * 83 + 30);
    expect(writes()).to.equal(2);
    await clock.advance(300_000);
    expect(writes()).to.equal(2);
  });

  it('goes on where another leader ended, and counts nothing twice', async () => {
    tell('a', 5);
    await clock.advance(0);
    tell('a', 8);
    await counts.stop();
    counts = another();
    counts.look();
    await clock.advance(30_000);
    expect(await injected()).to.equal(8);
    await counts.stop();
    counts = another();
    counts.look();
    await clock.advance(30_000);
    expect([await injected(), writes()]).to.deep.equal([8, 2]);
  });

  it('adds what a replica told that is gone before it was written, also if another replica leads by then', async () => {
    isLeader = false;
    tell('a', 5);
    told.delete('a');
    counts.look();
    await clock.advance(30_000);
    expect(writes()).to.equal(0);
    isLeader = true;
    counts.look();
    await clock.advance(0);
    expect(await injected()).to.equal(5);
  });

  it('takes what another leader has written in between for what the status says', async () => {
    tell('a', 5);
    await clock.advance(0);
    isLeader = false;
    counts.look();
    const other = another();
    isLeader = true;
    tell('b', 2);
    other.look();
    await clock.advance(60_000);
    await other.stop();
    expect(await injected()).to.equal(7);
    tell('a', 6);
    await clock.advance(60_000);
    expect(await injected()).to.equal(8);
  });

  it('counts nothing for a policy that took the place of another one', async () => {
    tell('a', 5, 'policy', 'of-another');
    await clock.advance(60_000);
    expect(writes()).to.equal(0);
  });

  it('tries again after a failure, and less often after a refusal, which it logs', async () => {
    let failures = 0;
    api.before = (operation) => {
      if (operation === 'apply' && failures++ < 1) throw new ApiError(503, 'ServiceUnavailable', 'not now');
      if (operation === 'apply' && failures < 3) throw new ApiError(403, 'Forbidden', 'not you');
    };
    tell('a', 5);
    await clock.advance(29_000);
    expect(failures).to.equal(2);
    expect(log.lines.filter(({ message }) => message === 'counts of pods could not be reported')).to.have.length(1);
    await clock.advance(30_000);
    expect(await injected()).to.equal(5);
  });

  it('waits for a CRD that has the field', async () => {
    isKnownField = false;
    tell('a', 5);
    await clock.advance(120_000);
    expect(writes()).to.equal(0);
    isKnownField = true;
    await clock.advance(30_000);
    expect(await injected()).to.equal(5);
  });

  it('writes for many policies one after the other', async () => {
    for (let index = 0; index < 50; index++) await policy(`p${index}`);
    for (let index = 0; index < 50; index++) tell('a', 1, `p${index}`);
    await clock.advance(0);
    expect(writes()).to.be.at.most(20);
    await clock.advance(4_000);
    expect(writes()).to.equal(50);
  });
});
