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
    expect(seen).to.deep.equal({ requestMs: 60_000, templateMs: HOUR, quietMs: 0 });
  });

  it('is measured from then on, whatever somebody does to the clock', async () => {
    const web = workload({ annotations: requested(clock.now() - 60_000), writtenAt: clock.now() });
    ages.of('web', web);
    for (const shift of [-HOUR, 3 * HOUR]) clock.set(shift);
    await clock.advance(1_000);
    expect(ages.of('web', web)).to.deep.equal({ requestMs: 61_000, templateMs: 1_000, quietMs: 1_000 });
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
});
