import { expect } from 'chai';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { governorsOf, unusablePolicyOf } from '../../../../core/policy/governing.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';
import { manifest, ruleOf } from '../../../support/example-policy.ts';

const names = (rules: readonly Rule[]): string[] => rules.map((rule) => rule.policy.name);

function rule(name: string, written: { namespace?: string; createdAt?: string } & Record<string, unknown> = {}): Rule {
  const { namespace = 'shop', createdAt = '2026-01-01T00:00:00Z', ...spec } = written;
  return ruleOf({ metadata: { namespace, name, creationTimestamp: createdAt }, ...spec });
}

function unusable(
  name: string,
  { namespace = 'shop', ...spec }: { namespace?: string } & Record<string, unknown> = {},
) {
  const object = manifest({ metadata: { namespace, name }, ...spec });
  return unusablePolicyOf(object as unknown as KubernetesObject, 'a fault');
}

describe('RuleCache', () => {
  it('begins empty, at version 0', () => {
    const snapshot = new RuleCache().snapshot();
    expect(snapshot.version).to.equal(0);
    expect(snapshot.rulesFor('shop')).to.deep.equal([]);
  });

  it('keeps namespaces apart', () => {
    const cache = new RuleCache();
    cache.set(rule('a', { namespace: 'one' }));
    cache.set(rule('a', { namespace: 'two', priority: 5 }));
    expect(cache.snapshot().rulesFor('one')[0]?.priority).to.equal(0);
    expect(cache.snapshot().rulesFor('two')[0]?.priority).to.equal(5);
    expect(cache.snapshot().rulesFor('three')).to.deep.equal([]);
    expect(cache.snapshot().rulesFor('constructor')).to.deep.equal([]);
  });

  describe('puts the winner first', () => {
    const later = '2026-01-02T00:00:00Z';
    const rules = [
      rule('b-young-high', { priority: 7, createdAt: later }),
      rule('z-old', {}),
      rule('a-young', { createdAt: later }),
      rule('m-old', {}),
      rule('low', { priority: -1 }),
      rule('B-upper', {}),
    ];
    const winning = ['b-young-high', 'B-upper', 'm-old', 'z-old', 'a-young', 'low'];

    it('by priority, then age, then name in code units, whatever the order of arrival', () => {
      for (const order of [rules, rules.toReversed(), [...rules.slice(3), ...rules.slice(0, 3)]]) {
        const cache = new RuleCache();
        for (const each of order) cache.set(each);
        expect(names(cache.snapshot().rulesFor('shop'))).to.deep.equal(winning);
      }
    });
  });

  describe('a snapshot', () => {
    it('stays as it was, whatever happens to the cache', () => {
      const cache = new RuleCache();
      const first = rule('a');
      cache.set(first);
      const before = cache.snapshot();
      cache.set(rule('a', { priority: 9 }));
      cache.set(rule('b'));
      cache.set(rule('c', { namespace: 'other' }));
      cache.delete('shop', 'a');
      cache.delete('shop', 'b');
      cache.delete('other', 'c');
      expect(before.version).to.equal(1);
      expect(before.rulesFor('shop')).to.deep.equal([first]);
      expect(before.rulesFor('other')).to.deep.equal([]);
      expect(cache.snapshot().rulesFor('shop')).to.deep.equal([]);
    });

    it('is the same object until something changes', () => {
      const cache = new RuleCache();
      cache.set(rule('a'));
      const snapshot = cache.snapshot();
      expect(cache.snapshot()).to.equal(snapshot);
      cache.set(rule('b'));
      expect(cache.snapshot()).not.to.equal(snapshot);
    });
  });

  describe('the version', () => {
    it('increases by one with each change', () => {
      const cache = new RuleCache();
      cache.set(rule('a'));
      cache.set(rule('a', { priority: 1 }));
      cache.delete('shop', 'a');
      cache.set(rule('b'));
      expect(cache.snapshot().version).to.equal(4);
    });

    it('stays the same when nothing changes', () => {
      const cache = new RuleCache();
      expect(cache.set(rule('a'))).to.equal(true);
      const snapshot = cache.snapshot();
      expect(cache.set(rule('a'))).to.equal(false);
      expect(cache.delete('shop', 'b')).to.equal(false);
      expect(cache.delete('other', 'a')).to.equal(false);
      expect(cache.snapshot()).to.equal(snapshot);
    });

    it('increases when only the generation of the policy does, because admission reports it', () => {
      const cache = new RuleCache();
      cache.set(ruleOf({ metadata: { generation: 1 } }));
      expect(cache.set(ruleOf({ metadata: { generation: 2 } }))).to.equal(true);
    });
  });

  it('reports the namespaces whose rules have changed, and no others', () => {
    const cache = new RuleCache();
    const told: string[] = [];
    cache.onChange((namespace) => told.push(`${namespace} ${governorsOf(cache.snapshot(), namespace).length}`));
    cache.set(rule('a'));
    cache.set(rule('a'));
    cache.set(rule('b', { namespace: 'other' }));
    cache.delete('other', 'b');
    cache.set(unusable('c', { namespace: 'third' }));
    cache.set(unusable('c', { namespace: 'third' }));
    cache.delete('shop', 'a');
    cache.delete('shop', 'a');
    expect(told).to.deep.equal(['shop 1', 'other 1', 'other 0', 'third 1', 'shop 0']);
  });

  describe('a policy that cannot be used', () => {
    it('stands beside the rules, replaces its own and is replaced by it', () => {
      const cache = new RuleCache();
      cache.set(rule('a'));
      cache.set(rule('b'));
      cache.set(unusable('a'));
      expect(names(cache.snapshot().rulesFor('shop'))).to.deep.equal(['b']);
      expect(cache.snapshot().unusableFor('shop')).to.deep.equal([unusable('a')]);
      expect([cache.size, cache.of(unusable('a').policy)]).to.deep.equal([1, unusable('a')]);
      cache.set(rule('a'));
      expect([cache.size, cache.snapshot().unusableFor('shop')]).to.deep.equal([2, []]);
      cache.set(unusable('a'));
      expect(cache.delete('shop', 'a')).to.equal(true);
      expect(cache.snapshot().unusableFor('shop')).to.deep.equal([]);
    });

    it('keeps its namespace, and Fail', () => {
      const cache = new RuleCache();
      cache.set(rule('a'));
      cache.set(unusable('b', { failurePolicy: 'Fail' }));
      cache.set(unusable('c', { namespace: 'web' }));
      expect(cache.namespaces()).to.deep.equal(
        kindPolicies([
          ['shop', 'Fail'],
          ['web', 'Ignore'],
        ]),
      );
    });

    it('is none of an earlier policy with the same name', () => {
      const cache = new RuleCache();
      cache.set(unusable('a'));
      expect(cache.of({ ...unusable('a').policy, uid: 'another' })).to.equal(undefined);
    });
  });

  it('names the namespaces that have rules, with what happens if the webhook cannot answer', () => {
    const cache = new RuleCache();
    expect([...cache.namespaces()]).to.deep.equal([]);
    cache.set(rule('a', { namespace: 'web', failurePolicy: 'Ignore' }));
    cache.set(rule('b', { namespace: 'web', failurePolicy: 'Fail' }));
    cache.set(rule('c', { namespace: 'web', failurePolicy: 'Ignore' }));
    cache.set(rule('d', { namespace: 'batch', failurePolicy: 'Ignore' }));
    cache.set(rule('e', { namespace: 'gone' }));
    cache.delete('gone', 'e');
    expect(cache.namespaces()).to.deep.equal(
      kindPolicies([
        ['batch', 'Ignore'],
        ['web', 'Fail'],
      ]),
    );
  });

  it('names in each namespace the kinds that some policy is for, and Fail for what a failing one names', () => {
    const cache = new RuleCache();
    cache.set(rule('a', { failurePolicy: 'Fail', targets: ['Deployment'] }));
    cache.set(rule('b', { failurePolicy: 'Ignore', targets: ['Deployment', 'Job'] }));
    cache.set(rule('c', { namespace: 'batch', failurePolicy: 'Fail', targets: ['Job'] }));
    cache.set(unusable('d', { namespace: 'batch', failurePolicy: 'Ignore', targets: ['Pod'] }));
    expect(cache.namespaces()).to.deep.equal(
      new Map([
        ['shop', new Map([['Deployment', 'Fail'], ['Job', 'Ignore']])], // prettier-ignore
        ['batch', new Map([['Job', 'Fail'], ['Pod', 'Ignore']])], // prettier-ignore
      ]),
    );
  });
});
