import { expect } from 'chai';

import { annotation } from '../../../../core/injection/annotations.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { plan } from '../../../../core/workload/plan.ts';
import type { Plan, Tracked } from '../../../../core/workload/plan.ts';
import { formatRequest } from '../../../../core/workload/request.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { trackedWith } from '../../../support/example-tracked.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const DAY_MS = 86_400_000;
const rollout = { strategy: 'Automatic', maxConcurrent: 1 } as const;
const automatic = ruleWith({ hash: 'aaaaaaaaaaaa', rollout });

/** Deployment a, whose rollout the operator asked for, as long available and then as long broken as that. */
function since(steadyMs: number, brokenMs = 0, requestMs = 60_000): Tracked {
  const requested = formatRequest({ kind: 'Rollout', hash: 'aaaaaaaaaaaa', attempt: 1, time: NOW - requestMs });
  return trackedWith('a', 'Injected', {
    workload: { annotations: { [annotation.requested]: requested }, rollout: { available: brokenMs === 0 } },
    ages: { requestMs, templateMs: requestMs, quietMs: steadyMs + brokenMs, steadyMs, brokenMs },
  });
}

/** Of that one, and of an outdated Deployment b. */
const planned = (one: Tracked, rule: Rule = automatic): Plan =>
  plan(rule, [one, trackedWith('b', 'Outdated')], [], NOW);
const begun = ({ actions }: Plan): readonly string[] => actions.map(({ kind, key }) => `${kind} ${key}`);
const NEXT = ['Rollout Deployment/shop/b'];

describe('a rollout whose new pods are available', () => {
  it('waits until they have been for as long as vault-env may take (10 s), and 5 s', () => {
    const waiting = planned(since(14_000));
    expect([begun(waiting), waiting.againInMs, waiting.rolling]).to.deep.equal([[], 1_000, ['Deployment/shop/a']]);
    expect(begun(planned(since(15_000)))).to.deep.equal(NEXT);
  });

  it('waits longer if vault-env may take longer, and for the delay of the program', () => {
    const slow = ruleWith({ hash: 'aaaaaaaaaaaa', rollout, vault: { timeout: '1m' }, process: { delay: '30s' } });
    expect(begun(planned(since(94_000), slow))).to.deep.equal([]);
    expect(begun(planned(since(95_000), slow))).to.deep.equal(NEXT);
  });

  it('waits while they fail again, and is stopped when they do not come back', () => {
    expect(planned(since(3_000, 14_000))).to.deep.include({ actions: [], stalls: [] });
    const { actions, stalls } = planned(since(3_000, 15_000));
    expect([actions, stalls]).to.deep.equal([
      [],
      [
        {
          key: 'Deployment/shop/a',
          reason: 'RolloutFailed',
          message: 'its new pods were available, and then failed',
        },
      ],
    ]);
  });

  it('looks again when they may have been away for too long, and then not before something changes', () => {
    expect(planned(since(14_990, 10_000)).againInMs).to.equal(5_000);
    expect(planned(since(14_990, 600_000)).againInMs).to.equal(undefined);
  });

  it('is over when they fail later, or when it was asked for long ago', () => {
    expect(begun(planned(since(15_000, 600_000)))).to.deep.equal(NEXT);
    expect(begun(planned(since(0, 0, DAY_MS)))).to.deep.equal(NEXT);
  });
});
