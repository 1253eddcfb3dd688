import { expect } from 'chai';

import type { WorkloadStatus } from '../../../../operator/policies/workload-status.ts';
import { isSameWorkloadStatus, keptStall, workloadStatusOf } from '../../../../operator/policies/workload-status.ts';
import type { Attention, WorkloadSummary } from '../../../../core/workload/summary.ts';

const NOON = Date.UTC(2026, 0, 2, 12);
const LATER = NOON + 3_600_000;
const COUNTS = { matched: 1, injected: 0, outdated: 0, missed: 1, denied: 0, failed: 0, excluded: 0 };
const SHOWN = { ...COUNTS, problems: 1, conflicts: 0 };
const MISSED: Attention = { kind: 'Deployment', name: 'web', state: 'Missed', reason: 'NotInjected', message: 'web' };

const summary = (fields: Partial<WorkloadSummary> = {}): WorkloadSummary => ({
  counts: COUNTS,
  attention: [],
  attentionOmitted: 0,
  conflicts: [],
  ...fields,
});

describe('what the status of a policy says about its workloads', () => {
  it('leaves out what does not exist', () => {
    expect(workloadStatusOf(undefined, summary(), NOON)).to.deep.equal({ workloads: SHOWN });
  });

  it('says the same by kind, and what no policy names', () => {
    const kinds = [{ kind: 'CronJob', ...COUNTS }];
    const uncovered = [{ kind: 'Job', count: 1, example: 'dump', message: 'add Job' }];
    expect(workloadStatusOf(undefined, summary({ kinds, uncovered }), NOON)).to.deep.equal({
      workloads: { ...SHOWN, kinds },
      uncovered,
    });
  });

  it('has all there is', () => {
    const conflicts = [{ policy: 'other', wins: true, workloads: 2, example: 'Deployment/web' }];
    const more = { attentionOmitted: 4, conflicts, conflicting: 2, lastAppliedTime: NOON };
    const whole = summary({ attention: [MISSED], ...more });
    expect(workloadStatusOf(undefined, whole, NOON)).to.deep.equal({
      workloads: { ...SHOWN, conflicts: 2 },
      lastAppliedTime: '2026-01-02T12:00:00Z',
      attention: [{ ...MISSED, since: '2026-01-02T12:00:00Z' }],
      attentionOmitted: 4,
      conflicts,
    });
  });

  const changes: Readonly<Record<string, [change: Partial<Attention>, since: string]>> = {
    'the same': [{}, '2026-01-02T12:00:00Z'],
    'another message': [{ message: 'again' }, '2026-01-02T12:00:00Z'],
    'another reason': [{ reason: 'RepairUndone' }, '2026-01-02T13:00:00Z'],
    'another state': [{ state: 'Denied' }, '2026-01-02T13:00:00Z'],
    'the same of another workload': [{ name: 'db' }, '2026-01-02T13:00:00Z'],
  };
  for (const [what, [change, since]] of Object.entries(changes))
    it(`says since when a workload needs attention: ${what}`, () => {
      const before = workloadStatusOf(undefined, summary({ attention: [MISSED] }), NOON);
      const after = workloadStatusOf(before, summary({ attention: [{ ...MISSED, ...change }] }), LATER);
      expect(after.attention?.map((one) => one.since)).to.deep.equal([since]);
    });

  const times: readonly [known: string | undefined, applied: number | undefined, expected: string | undefined][] = [
    [undefined, undefined, undefined],
    [undefined, NOON, '2026-01-02T12:00:00Z'],
    ['2026-01-02T11:00:00Z', undefined, '2026-01-02T11:00:00Z'],
    ['2026-01-02T11:00:00Z', NOON, '2026-01-02T12:00:00Z'],
    ['2026-01-02T13:00:00Z', NOON, '2026-01-02T13:00:00Z'],
  ];
  for (const [known, applied, expected] of times)
    it(`keeps the newest time of an injection: ${known} and ${applied} give ${expected}`, () => {
      const before = known === undefined ? {} : { lastAppliedTime: known };
      const given = summary(applied === undefined ? {} : { lastAppliedTime: applied });
      expect(workloadStatusOf(before, given, LATER).lastAppliedTime).to.equal(expected);
    });

  it('is the same regardless of what others write', () => {
    const status = workloadStatusOf(undefined, summary({ attention: [MISSED] }), NOON);
    const stored = { ...structuredClone(status), lastDenial: {}, observedGeneration: 3 } as WorkloadStatus;
    expect(isSameWorkloadStatus(stored, status)).to.equal(true);
    expect(isSameWorkloadStatus({ ...stored, attentionOmitted: 1 }, status)).to.equal(false);
    expect(isSameWorkloadStatus(undefined, status)).to.equal(false);
  });
});

describe('why a policy was stalled because of its workloads', () => {
  const stalled = (reason: string, status: 'True' | 'False' = 'True'): Parameters<typeof keptStall>[0] => {
    const lastTransitionTime = '2026-01-02T12:00:00Z';
    return { conditions: [{ type: 'Stalled', status, reason, message: 'said', lastTransitionTime }] };
  };

  it('stays until the workloads have been examined', () => {
    expect(keptStall(stalled('RolloutFailed'))).to.deep.equal({ reason: 'RolloutFailed', message: 'said' });
  });

  it('is nothing else that was said', () => {
    const others = [undefined, {}, stalled('SchemaInvalid'), stalled('toString'), stalled('RolloutFailed', 'False')];
    for (const one of others) expect(keptStall(one)).to.equal(undefined);
  });
});
