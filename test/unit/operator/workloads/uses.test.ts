import { expect } from 'chai';

import type { Tracked } from '../../../../core/workload/plan.ts';
import type { Use } from '../../../../core/workload/restarts.ts';
import { WorkloadUses } from '../../../../operator/workloads/uses.ts';
import type { Changes } from '../../../support/changed.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { trackedWith } from '../../../support/example-tracked.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const DB = 'secret/data/shop/db';
const API = 'secret/data/shop/api';
const rule = ruleWith({ rotation: { strategy: 'Restart' } });
// vault.timeout and 5 s
const SETTLE_MS = 15_000;

describe('what workloads are known to have started with', () => {
  let clock: ManualClock;
  let uses: WorkloadUses;
  let changes: Changes<Tracked>;

  beforeEach(() => {
    clock = new ManualClock();
    uses = new WorkloadUses(clock);
    changes = {};
    become({ standing: { reads: [DB] }, workload: { metadata: { generation: 1 } } });
  });

  /** What the workload is from now on, by fields. */
  function become(now: Changes<Tracked>): void {
    changes = now;
  }

  const rollout = (more: Changes<Tracked['workload']['rollout']>, generation = 1, reads = [DB]): void =>
    become({ standing: { reads }, workload: { metadata: { generation }, rollout: more } });

  const look = (): { readonly uses: readonly Use[]; readonly againInMs: number } =>
    uses.of(rule, [trackedWith('web', 'Injected', changes)]);

  const started = (): readonly string[] | undefined => look().uses[0]?.startedWith;

  /** Its pods stay available for long enough. */
  async function settle(): Promise<void> {
    look();
    await clock.advance(SETTLE_MS);
  }

  it('is nothing until their pods have been available for as long as vault-env may take, without a break', async () => {
    expect(look().uses).to.deep.include({ key: 'Deployment/shop/web', reads: [DB], startedWith: [], annotations: {} });
    expect(look().againInMs).to.equal(SETTLE_MS);
    await clock.advance(SETTLE_MS - 1);
    expect([started(), look().againInMs]).to.deep.equal([[], 1]);
    rollout({ started: false });
    expect([started(), look().againInMs]).to.deep.equal([[], Infinity]);
    rollout({ started: true });
    expect(look().againInMs, 'pods that fail again and again').to.equal(SETTLE_MS);
    await clock.advance(SETTLE_MS);
    expect([started(), look().againInMs]).to.deep.equal([[DB], Infinity]);
  });

  it('is nothing for one that has no pods, however long', async () => {
    rollout({ started: false, idle: true });
    await settle();
    await clock.advance(3_600_000);
    expect(started()).to.deep.equal([]);
  });

  it('stays while a rollout or a failure of some pods is under way, and grows when new pods have started', async () => {
    await settle();
    expect(started()).to.deep.equal([DB]);
    rollout({ started: false, phase: 'Progressing' }, 2, [DB, API]);
    expect(started(), 'a path that no pod has read yet').to.deep.equal([DB]);
    await clock.advance(3_600_000);
    expect(started()).to.deep.equal([DB]);
    rollout({ started: true }, 2, [DB, API]);
    await settle();
    expect(started()).to.deep.equal([DB, API]);
  });

  it('counts the time of each template by itself, also if nobody has seen its pods come up', async () => {
    await settle();
    rollout({ started: true }, 2, [API]);
    expect(started()).to.deep.equal([]);
    await settle();
    expect(started()).to.deep.equal([API]);
    rollout({ started: true }, 3, [DB]);
    expect(started(), 'which it had dropped').to.deep.equal([]);
  });

  it('is forgotten when no pod is left', async () => {
    await settle();
    rollout({ started: false, idle: true });
    expect(started()).to.deep.equal([]);
    rollout({ started: false });
    expect(started()).to.deep.equal([]);
  });

  const others: [what: string, changes: Changes<Tracked>][] = [
    ['another workload of this name', { workload: { metadata: { uid: 'another' } } }],
    ['another policy', { standing: { policy: { uid: 'another' } } }],
  ];
  for (const [what, other] of others) {
    it(`is nothing that ${what} has shown`, async () => {
      await settle();
      expect(started()).to.deep.equal([DB]);
      become({
        standing: { reads: [DB], ...other.standing },
        workload: { ...other.workload, metadata: { generation: 1, ...other.workload?.metadata } },
      });
      expect(started()).to.deep.equal([]);
    });
  }

  it('is not asked of those that are not injected, of other policies, or of policies that do not rotate', async () => {
    await settle();
    expect(uses.of(rule, [trackedWith('web', 'Missed', changes)]).uses).to.deep.equal([]);
    expect(started(), 'and what it was is forgotten').to.deep.equal([]);
    expect(uses.of(ruleWith(), [trackedWith('web', 'Injected', changes)]).uses).to.deep.equal([]);
    const elsewhere = ruleWith({ policy: { name: 'other' }, rotation: { strategy: 'Restart' } });
    expect(uses.of(elsewhere, [trackedWith('web', 'Injected', changes)]).uses).to.deep.equal([]);
  });
});
