import { expect } from 'chai';

import type { Stall, Tracked } from '../../../../core/workload/plan.ts';
import type { State } from '../../../../core/workload/standing.ts';
import { summaryOf } from '../../../../core/workload/summary.ts';
import type { WorkloadSummary } from '../../../../core/workload/summary.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { trackedWith } from '../../../support/example-tracked.ts';

interface About {
  readonly policy?: string;
  readonly yielding?: readonly string[];
  readonly message?: string;
}

function one(name: string, state: State, { policy = 'shop-secrets', yielding = [], message }: About = {}): Tracked {
  const said = message === undefined ? {} : { message };
  return trackedWith(name, state, { standing: { policy: { name: policy, uid: policy }, yielding, ...said } });
}

const summary = (tracked: readonly Tracked[], stalls: readonly Stall[] = []): WorkloadSummary =>
  summaryOf(ruleWith(), tracked, { stalls });

describe('what the status of a policy says about its workloads', () => {
  it('is empty if there are none', () => {
    const none = { matched: 0, injected: 0, outdated: 0, missed: 0, denied: 0, failed: 0, excluded: 0 };
    expect(summary([])).to.deep.equal({ counts: none, attention: [], attentionOmitted: 0, conflicts: [] });
  });

  it('counts each state, and only the workloads that the policy applies to', () => {
    const states: readonly State[] = ['Injected', 'Injected', 'Outdated', 'Missed', 'Denied', 'Failed', 'Excluded'];
    const all = [...states.map((state, index) => one(`w${index}`, state)), one('x', 'Injected', { policy: 'other' })];
    const expected = { matched: 7, injected: 2, outdated: 1, missed: 1, denied: 1, failed: 1, excluded: 1 };
    expect(summary(all).counts).to.deep.equal(expected);
  });

  it('counts the same by kind, in the order of the table, and no kind without a workload', () => {
    const states: readonly State[] = ['Injected', 'Missed', 'Injected'];
    const kinds = ['CronJob', 'Deployment', 'CronJob'] as const;
    const all = kinds.map((kind, index) => trackedWith(`w${index}`, states[index] ?? 'Denied', { workload: { kind } }));
    const none = { injected: 0, outdated: 0, missed: 0, denied: 0, failed: 0, excluded: 0 };
    expect(summary(all).kinds).to.deep.equal([
      { kind: 'Deployment', matched: 1, ...none, missed: 1 },
      { kind: 'CronJob', matched: 2, ...none, injected: 2 },
    ]);
    expect(summary(all).counts.matched).to.equal(3);
  });

  it('says what the policy would apply to if it named more kinds', () => {
    const others = [{ kind: 'CronJob', name: 'dump', policy: 'shop-secrets' }] as const;
    const { uncovered } = summaryOf(ruleWith(), [], { stalls: [] }, others);
    expect(uncovered?.map(({ kind, count, example }) => [kind, count, example])).to.deep.equal([
      ['CronJob', 1, 'dump'],
    ]);
  });

  it('names what is most urgent first, and nothing that is as it should be', () => {
    const states: readonly State[] = ['Outdated', 'Injected', 'Missed', 'Excluded', 'Failed', 'Denied'];
    const { attention } = summary(states.map((state, index) => one(`w${index}`, state)));
    expect(attention.map(({ state }) => state)).to.deep.equal(['Denied', 'Failed', 'Missed', 'Outdated']);
  });

  it('names twenty in order and counts the others', () => {
    const all = Array.from({ length: 25 }, (_, index) => one(`w${String(24 - index).padStart(2, '0')}`, 'Outdated'));
    const { attention, attentionOmitted } = summary(all);
    expect(attention.map(({ name }) => name)).to.deep.equal(
      Array.from({ length: 20 }, (_, index) => `w${String(index).padStart(2, '0')}`),
    );
    expect(attentionOmitted).to.equal(5);
  });

  it('cuts long messages, and no character in two', () => {
    const { attention } = summary([one('a', 'Denied', { message: '😀'.repeat(1_000) })]);
    expect(attention[0]?.message).to.have.length.at.most(512);
    expect(attention[0]?.message.isWellFormed()).to.equal(true);
  });

  it('puts what is stalled first, with the reason, although the workload itself is injected', () => {
    const stall: Stall = { key: 'Deployment/shop/b', reason: 'RolloutFailed', message: 'does not come up' };
    const { attention, stalled } = summary([one('a', 'Denied'), one('b', 'Injected')], [stall]);
    expect(attention[0]).to.deep.equal({
      kind: 'Deployment',
      name: 'b',
      state: 'Injected',
      reason: 'RolloutFailed',
      message: 'does not come up',
    });
    expect(stalled).to.deep.equal({ reason: 'RolloutFailed', message: 'Deployment/b: does not come up' });
  });

  it('tells with which policies it shares workloads, how many, and who wins', () => {
    const { conflicts } = summary([
      one('a', 'Injected', { yielding: ['z'] }),
      one('b', 'Missed', { yielding: ['z', 'y'] }),
      one('c', 'Injected', { policy: 'first', yielding: ['shop-secrets', 'z'] }),
      one('d', 'Injected', { policy: 'first', yielding: ['z'] }),
    ]);
    expect(conflicts).to.deep.equal([
      { policy: 'first', wins: false, workloads: 1, example: 'Deployment/c' },
      { policy: 'y', wins: true, workloads: 1, example: 'Deployment/b' },
      { policy: 'z', wins: true, workloads: 2, example: 'Deployment/a' },
    ]);
  });

  it('names ten of them', () => {
    const yielding = Array.from({ length: 12 }, (_, index) => `p${index}`);
    expect(summary([one('a', 'Injected', { yielding })]).conflicts).to.have.length(10);
  });

  it('counts the workloads that another policy matches too, on both of them', () => {
    const contested = [
      one('a', 'Injected', { yielding: ['other', 'third'] }),
      one('b', 'Injected', { policy: 'other', yielding: ['shop-secrets'] }),
      one('c', 'Injected', { policy: 'other', yielding: ['third'] }),
      one('d', 'Injected'),
    ];
    expect(summary(contested).conflicting).to.equal(2);
  });

  it('names one whose programs would not start, although it is injected', () => {
    const broken = trackedWith('a', 'Injected', { standing: { reason: 'ReferenceMalformed', message: 'write a key' } });
    expect(summary([broken, one('b', 'Injected')]).attention).to.deep.equal([
      { kind: 'Deployment', name: 'a', state: 'Injected', reason: 'ReferenceMalformed', message: 'write a key' },
    ]);
  });
});
