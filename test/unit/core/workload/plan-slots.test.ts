import { expect } from 'chai';

import { annotation } from '../../../../core/injection/annotations.ts';
import { plan } from '../../../../core/workload/plan.ts';
import { formatRequest } from '../../../../core/workload/request.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { trackedWith } from '../../../support/example-tracked.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const rule = ruleWith({ hash: 'bbbbbbbbbbbb', rollout: { strategy: 'Automatic', maxConcurrent: 1 } });
const requested = (agoMs: number): object => ({
  [annotation.requested]: formatRequest({ kind: 'Rollout', hash: rule.hash, attempt: 1, time: NOW - agoMs }),
});
const moving = (agoMs: number): object => ({ annotations: requested(agoMs), rollout: { phase: 'Progressing' } });
const outdated = trackedWith('web', 'Outdated');

describe('the slot of a rollout', () => {
  it('is kept from its policy, and not from the cluster, by pods that make no progress', () => {
    const still = trackedWith('z', 'Injected', {
      workload: moving(700_000),
      standing: { policy: { hash: rule.hash } },
    });
    expect(plan(rule, [outdated, still], [], NOW)).to.deep.include({
      actions: [],
      rolling: ['Deployment/shop/z'],
      stuck: 1,
    });
  });

  it('is not taken by a workload that was too large to be read: nothing is known of its pods', () => {
    const large = trackedWith('z', 'Denied', {
      workload: moving(60_000),
      standing: { policy: { hash: rule.hash }, reason: 'WorkloadTooLarge' },
    });
    expect(plan(rule, [outdated, large], [], NOW)).to.deep.include({ rolling: ['Deployment/shop/web'], stuck: 0 });
  });
});
