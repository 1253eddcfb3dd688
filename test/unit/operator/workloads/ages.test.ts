import { expect } from 'chai';

import { annotation } from '../../../../core/injection/annotations.ts';
import { formatRequest } from '../../../../core/workload/request.ts';
import type { Workload } from '../../../../core/workload/workload.ts';
import { WorkloadAges } from '../../../../operator/workloads/ages.ts';
import { trackedWith } from '../../../support/example-tracked.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const HOUR = 3_600_000;

describe('how old what a workload says is', () => {
  let clock: ManualClock;
  let ages: WorkloadAges;

  beforeEach(() => {
    clock = new ManualClock();
    ages = new WorkloadAges(clock);
  });

  const requested = (time: number): Readonly<Record<string, string>> => ({
    [annotation.requested]: formatRequest({ kind: 'Repair', hash: 'aaaaaaaaaaaa', attempt: 1, time }),
  });
  const workload = (changes: Partial<Workload>): Workload => ({
    ...trackedWith('web', 'Injected').workload,
    ...changes,
  });

  it('is what its times say when it is seen first', () => {
    const now = clock.now();
    const seen = ages.of('web', workload({ annotations: requested(now - 60_000), writtenAt: now - HOUR }));
    expect(seen).to.deep.equal({
      ...{ requestMs: 60_000, templateMs: HOUR, quietMs: 0 },
      ...{ steadyMs: 60_000, brokenMs: 0 },
    });
  });

  it('is measured from then on, whatever somebody does to the clock', async () => {
    const web = workload({ annotations: requested(clock.now() - 60_000), writtenAt: clock.now() });
    ages.of('web', web);
    for (const shift of [-HOUR, 3 * HOUR]) clock.set(shift);
    await clock.advance(1_000);
    expect(ages.of('web', web)).to.deep.include({
      requestMs: 61_000,
      templateMs: 1_000,
      quietMs: 1_000,
      steadyMs: 61_000,
    });
  });

  it('is nothing for a time in the future, and grows', async () => {
    const web = workload({ annotations: requested(clock.now() + HOUR), writtenAt: clock.now() + HOUR });
    expect(ages.of('web', web)).to.deep.include({ requestMs: 0, templateMs: 0 });
    await clock.advance(10_000);
    expect(ages.of('web', web)).to.deep.include({ requestMs: 10_000, templateMs: 10_000 });
  });

  it('starts over with another request, another template, and progress of the pods', async () => {
    const web = workload({ annotations: requested(clock.now()) });
    ages.of('web', web);
    await clock.advance(10_000);
    const { rollout } = web;
    const moved = workload({ annotations: requested(clock.now()), rollout: { ...rollout, progress: '2/1/1' } });
    expect(ages.of('web', moved)).to.deep.include({ requestMs: 0, quietMs: 0 });
    ages.forget('web');
    await clock.advance(10_000);
    expect(ages.of('web', moved)).to.deep.include({ requestMs: 10_000, quietMs: 0 });
  });

  describe('since its pods have been available', () => {
    const having = (rollout: Partial<Workload['rollout']>, annotations = requested(clock.now())): Workload =>
      workload({ annotations, rollout: { ...workload({}).rollout, ...rollout } });
    const moving = { phase: 'Progressing', available: false } as const;
    const broken = { phase: 'Complete', available: false } as const;
    const steady = { phase: 'Complete', available: true } as const;

    it('counts from the end of the rollout, the longest time without a break', async () => {
      const annotations = requested(clock.now());
      const seen = (rollout: Partial<Workload['rollout']>): unknown => {
        const { steadyMs, brokenMs } = ages.of('web', having(rollout, annotations));
        return [steadyMs, brokenMs];
      };
      expect(seen(moving)).to.deep.equal([0, 0]);
      await clock.advance(20_000);
      expect(seen(steady)).to.deep.equal([0, 0]);
      await clock.advance(8_000);
      expect(seen(broken)).to.deep.equal([8_000, 0]);
      await clock.advance(3_000);
      expect(seen(broken)).to.deep.equal([8_000, 3_000]);
      expect(seen(steady)).to.deep.equal([8_000, 0]);
      await clock.advance(5_000);
      expect(seen(steady)).to.deep.equal([8_000, 0]);
      await clock.advance(5_000);
      expect(seen(steady)).to.deep.equal([10_000, 0]);
    });

    it('begins again with another request', async () => {
      ages.of('web', having(steady, requested(clock.now() - 1_000)));
      await clock.advance(60_000);
      expect(ages.of('web', having(moving)).steadyMs).to.equal(0);
    });

    it('is as long ago as the API server says when it is seen first, at the longest since the request', () => {
      const annotations = requested(clock.now() - 60_000);
      expect(ages.of('web', having({ ...steady, completedAt: clock.now() - 7_000 }, annotations)).steadyMs).to.equal(
        7_000,
      );
      expect(ages.of('db', having(steady, annotations)).steadyMs).to.equal(60_000);
      expect(ages.of('cron', having(broken, annotations))).to.deep.include({ steadyMs: 0, brokenMs: 60_000 });
    });
  });
});
