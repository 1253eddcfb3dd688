import { expect } from 'chai';

import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import type { Governor, UnusablePolicy } from '../../../../core/policy/rule.ts';
import { admitted } from '../../../support/admitted.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';

const sound = ruleWith();
const plain = deployment({ containers: [container()] });
const injected = admitted(plain, sound);
const bare = deployment({ containers: [container({ command: ['/bin/other'] })] });

function unusable(failurePolicy: 'Fail' | 'Ignore', changes: Partial<UnusablePolicy> = {}): UnusablePolicy {
  const { policy, priority, targets, selector } = sound;
  return { policy, priority, targets, selector, failurePolicy, fault: 'spec.x: write y', ...changes };
}

function decide(object: unknown, stored: unknown, ...governors: readonly Governor[]): MutationResult {
  const rules = snapshotOf(...governors);
  const about = { kind: 'Deployment', namespace: 'shop', name: 'web' } as const;
  return mutateWorkload({ ...about, object, rules, ...(stored === undefined ? {} : { stored }) });
}

const FAIL = unusable('Fail');
const IGNORE = unusable('Ignore');

const LITERAL = 'container app: DB_PASSWORD stays text: policy shop-secrets cannot be used';

describe('under a policy that cannot be used', () => {
  describe('and that asks to fail', () => {
    const changes: readonly [string, unknown, unknown][] = [
      ['a new workload', plain, undefined],
      ['a new one that somebody has injected before', injected, undefined],
      ['a changed template', bare, injected],
      ['a template without its injection', plain, injected],
      ['a changed template that was never injected', bare, plain],
    ];
    for (const [what, object, stored] of changes)
      it(`${what} is refused, with the policy, the fault and what to do`, () => {
        const { outcome, denial, patch, policy } = decide(object, stored, FAIL);
        expect([outcome, patch, policy?.name]).to.deep.equal(['Denied', [], sound.policy.name]);
        expect(denial?.reason).to.equal('PolicyUnusable');
        expect(denial?.message).to.match(/^policy shop-secrets cannot be used: spec.x: write y; correct the policy, /);
      });

    for (const [what, template] of [
      ['injected', injected],
      ['bare', plain],
    ] as const)
      it(`a workload whose template stays ${what} is admitted as it is, with a warning`, () => {
        const labelled = {
          ...template,
          metadata: { ...(template as { metadata: object }).metadata, labels: { a: 'b' } },
        };
        const { outcome, patch, warnings, held } = decide(labelled, template, FAIL);
        expect([outcome, patch, held?.reason]).to.deep.equal(['Unchanged', [], 'PolicyUnusable']);
        expect(warnings[0]).to.match(/^policy shop-secrets cannot be used/);
        expect(warnings.slice(1)).to.deep.equal(template === plain ? [LITERAL] : []);
      });
  });

  describe('and that ignores failures', () => {
    for (const [what, object, stored] of [
      ['a new workload', plain, undefined],
      ['a changed template', bare, injected],
      ['an injected template', injected, injected],
    ] as const)
      it(`${what} is admitted as it is, with a warning: nothing is injected or restored`, () => {
        const { outcome, patch, warnings, denial, held } = decide(object, stored, IGNORE);
        expect([outcome, patch, denial, held?.reason]).to.deep.equal(['Unchanged', [], undefined, 'PolicyUnusable']);
        expect(warnings[0]).to.match(/^policy shop-secrets cannot be used/);
        expect(warnings.slice(1)).to.deep.equal(object === injected ? [] : [LITERAL]);
      });
  });

  it('a workload that it does not select is none of its business', () => {
    const other = unusable('Fail', { selector: { matchLabels: { app: 'else' }, matchExpressions: [] } });
    expect(decide(plain, undefined, other).outcome).to.equal('NoPolicy');
    expect(decide(injected, injected, other).outcome).to.equal('Restored');
  });

  it('its priority counts as that of any other', () => {
    const name = (governor: UnusablePolicy): UnusablePolicy => ({
      ...governor,
      policy: { ...governor.policy, name: 'bad' },
    });
    expect(decide(plain, undefined, sound, name(unusable('Fail', { priority: 9 }))).outcome).to.equal('Denied');
    expect(decide(plain, undefined, sound, name(unusable('Fail', { priority: -9 }))).outcome).to.equal('Injected');
  });

  it('the annotations of the workload decide first', () => {
    const out = deployment({ containers: [container()] }, { 'vaultinjection.dev/inject': 'false' });
    expect(decide(out, undefined, FAIL).outcome).to.equal('Excluded');
    const named = deployment({ containers: [container()] }, { 'vaultinjection.dev/policy': 'good' });
    const good = ruleWith({ policy: { name: 'good' }, priority: -9 });
    expect(decide(named, undefined, FAIL, good).outcome).to.equal('Injected');
  });
});
