import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import { asksToFail, governorsOf, isSuspended, unusablePolicyOf } from '../../../../core/policy/governing.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';

function object(spec: unknown): KubernetesObject {
  return {
    apiVersion: 'vaultinjection.dev/v1alpha1',
    kind: 'VaultInjectionPolicy',
    metadata: { namespace: 'shop', name: 'bad', uid: 'u-1', generation: 4, creationTimestamp: '2026-01-02T00:00:00Z' },
    spec,
  };
}

// pods only where they are named
const FIVE = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job'];

describe('what can be read of a policy that cannot be used', () => {
  const read = (spec: unknown) => unusablePolicyOf(object(spec), 'a fault');
  const ALL = { matchLabels: {}, matchExpressions: [] };

  it('is what its author wrote', () => {
    const expression = { key: 'tier', operator: 'In', values: ['web'] };
    const spec = {
      priority: 7,
      targets: ['StatefulSet'],
      selector: { matchLabels: { app: 'web' }, matchExpressions: [expression] },
      failurePolicy: 'Fail',
      vault: 'nonsense',
    };
    expect(read(spec)).to.deep.equal({
      policy: { namespace: 'shop', name: 'bad', uid: 'u-1', generation: 4, createdAt: Date.UTC(2026, 0, 2) },
      priority: 7,
      targets: ['StatefulSet'],
      selector: spec.selector,
      failurePolicy: 'Fail',
      fault: 'a fault',
    });
  });

  it('is the defaults of the CRD where the author left them out', () => {
    const expected = { priority: 0, targets: FIVE, selector: ALL, failurePolicy: 'Ignore' };
    for (const spec of [undefined, null, {}, { targets: null, selector: null, failurePolicy: null }])
      expect(read(spec)).to.deep.include(expected);
  });

  const wide: readonly [string, object, object][] = [
    ['targets that do not exist', { targets: ['Node'] }, { targets: FIVE }],
    ['targets of which one does not', { targets: ['Deployment', 'Node'] }, { targets: FIVE }],
    ['targets of which one does not, beside pods', { targets: ['Node', 'Pod'] }, { targets: [...FIVE, 'Pod'] }],
    ['targets of a group', { targets: ['Rollout.argoproj.io', 'Job'] }, { targets: ['Job', 'Rollout.argoproj.io'] }],
    ['targets that are no list', { targets: 'Deployment' }, { targets: FIVE }],
    ['a selector that is no object', { selector: 'app=web' }, { selector: ALL }],
    ['a label that is no text', { selector: { matchLabels: { app: 7 } } }, { selector: ALL }],
    ['an unknown operator', { selector: { matchExpressions: [{ key: 'a', operator: 'Like' }] } }, { selector: ALL }],
    ['an expression without a key', { selector: { matchExpressions: [{ operator: 'Exists' }] } }, { selector: ALL }],
    ['a list of no values', { selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }, { selector: ALL }],
    ['a priority that is no number', { priority: 'high' }, { priority: 0 }],
    ['a failure policy that does not exist', { failurePolicy: 'fail' }, { failurePolicy: 'Fail' }],
  ];
  for (const [what, spec, expected] of wide)
    it(`is the widest wish for ${what}`, () => expect(read(spec)).to.deep.include(expected));
});

it('a policy is suspended by true alone', () => {
  expect([{ suspend: true }, { suspend: 'true' }, {}, null].map((spec) => isSuspended(object(spec)))).to.deep.equal([
    true,
    false,
    false,
    false,
  ]);
});

describe('the policies that govern a namespace', () => {
  const bad = (priority: number, failurePolicy = 'Ignore') =>
    unusablePolicyOf(object({ priority, failurePolicy }), 'a fault');
  const good = ruleWith({ priority: 5, failurePolicy: 'Ignore' });

  it('are those with a rule and those without, the winner first', () => {
    const names = (priority: number): string[] =>
      governorsOf(snapshotOf(good, bad(priority)), 'shop').map(({ policy }) => policy.name);
    expect([names(6), names(4)]).to.deep.equal([
      ['bad', good.policy.name],
      [good.policy.name, 'bad'],
    ]);
  });

  it('ask to fail if any of them does', () => {
    const asks = [snapshotOf(good), snapshotOf(good, bad(0)), snapshotOf(good, bad(0, 'Fail')), snapshotOf()];
    expect(asks.map((rules) => asksToFail(rules, 'shop'))).to.deep.equal([false, false, true, false]);
    expect(asksToFail(snapshotOf(ruleWith({ failurePolicy: 'Fail' })), 'shop')).to.equal(true);
  });
});
