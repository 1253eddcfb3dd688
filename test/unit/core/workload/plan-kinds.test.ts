import { expect } from 'chai';

import { annotation } from '../../../../core/injection/annotations.ts';
import type { RolloutState, WorkloadKind } from '../../../../core/kinds.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import type { ReasonCode } from '../../../../core/reasons.ts';
import { plan } from '../../../../core/workload/plan.ts';
import type { Plan, Tracked } from '../../../../core/workload/plan.ts';
import type { State } from '../../../../core/workload/standing.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { trackedWith } from '../../../support/example-tracked.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const HASH = 'bbbbbbbbbbbb';
const NOTHING: Plan = { actions: [], stalls: [], rolling: [], stuck: 0, isWaiting: false };
const manual = ruleWith({ hash: HASH });
const automatic = ruleWith({ hash: HASH, rollout: { strategy: 'Automatic', maxConcurrent: 1 } });
const planned = (rule: Rule, ...tracked: readonly Tracked[]): Plan => plan(rule, tracked, [], NOW);
const kindsOf = ({ actions }: Plan): readonly string[] =>
  actions.map(({ key, kind }) => `${kind} ${key.split('/')[2]}`);

interface About {
  readonly kind: WorkloadKind;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly rollout?: Partial<RolloutState>;
  readonly reason?: ReasonCode;
}

function one(state: State, { kind, annotations = {}, rollout = {}, reason }: About): Tracked {
  return trackedWith('web', state, {
    workload: { kind, annotations, rollout },
    standing: { policy: { hash: HASH }, ...(reason && { reason }) },
  });
}

describe('kinds whose pods are not replaced', () => {
  const idle: Partial<RolloutState> = { idle: true, started: false };

  it('have a CronJob brought up to date at once, whatever the rollout says: its next run takes it', () => {
    for (const rule of [manual, automatic]) {
      const result = planned(rule, one('Outdated', { kind: 'CronJob', rollout: idle }));
      expect(kindsOf(result)).to.deep.equal(['Repair web']);
      expect(result.actions[0]?.message).to.contain('its next run takes it');
      expect(result.rolling, 'no slot').to.deep.equal([]);
    }
  });

  it('have a CronJob adopted that is older than the policy', () => {
    const newcomer = one('Missed', { kind: 'CronJob', rollout: idle, reason: 'NotAdopted' });
    expect(kindsOf(planned(manual, newcomer))).to.deep.equal(['Repair web']);
  });

  it('ask nothing about a Job: nobody could give it another template', () => {
    for (const state of ['Missed', 'Outdated'] as const)
      for (const annotations of [{}, { [annotation.apply]: 'now' }])
        expect(planned(automatic, one(state, { kind: 'Job', annotations }))).to.deep.equal(NOTHING);
  });

  it('roll no ReplicaSet, and repair one that was missed', () => {
    const about = { kind: 'ReplicaSet', rollout: { onDelete: true } } as const;
    expect(planned(automatic, one('Outdated', about))).to.deep.equal(NOTHING);
    expect(kindsOf(planned(manual, one('Missed', about)))).to.deep.equal(['Repair web']);
  });

  it('say of a ReplicaSet without pods that it has none, not that it will run', () => {
    const { actions } = planned(manual, one('Outdated', { kind: 'ReplicaSet', rollout: { ...idle, onDelete: true } }));
    expect(actions[0]?.message).to.contain('none of its pods is available');
  });
});

it('a DaemonSet is rolled like a Deployment', () => {
  expect(kindsOf(planned(automatic, one('Outdated', { kind: 'DaemonSet' })))).to.deep.equal(['Rollout web']);
  expect(planned(automatic, one('Outdated', { kind: 'DaemonSet', rollout: { onDelete: true } }))).to.deep.equal(
    NOTHING,
  );
});
