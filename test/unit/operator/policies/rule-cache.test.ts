import { expect } from 'chai';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { ruleOf } from '../../../support/example-policy.ts';

const names = (rules: readonly Rule[]): string[] => rules.map((rule) => rule.policy.name);

function rule(name: string, written: { namespace?: string; createdAt?: string } & Record<string, unknown> = {}): Rule {
  const { namespace = 'shop', createdAt = '2026-01-01T00:00:00Z', ...spec } = written;
  return ruleOf({ metadata: { namespace, name, creationTimestamp: createdAt }, ...spec });
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

    it('after replaceAll as well', () => {
      const cache = new RuleCache();
      cache.replaceAll(rules);
      expect(names(cache.snapshot().rulesFor('shop'))).to.deep.equal(winning);
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
      cache.replaceAll([]);
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
      cache.replaceAll([rule('a'), rule('b')]);
      expect(cache.snapshot().version).to.equal(4);
    });

    it('stays the same when nothing changes', () => {
      const cache = new RuleCache();
      expect(cache.set(rule('a'))).to.equal(true);
      const snapshot = cache.snapshot();
      expect(cache.set(rule('a'))).to.equal(false);
      expect(cache.delete('shop', 'b')).to.equal(false);
      expect(cache.delete('other', 'a')).to.equal(false);
      cache.replaceAll([rule('a')]);
      expect(cache.snapshot()).to.equal(snapshot);
    });

    it('increases when only the generation of the policy does, because admission reports it', () => {
      const cache = new RuleCache();
      cache.set(ruleOf({ metadata: { generation: 1 } }));
      expect(cache.set(ruleOf({ metadata: { generation: 2 } }))).to.equal(true);
    });
  });

  it('replaceAll drops what is not named, and of two rules for one policy takes the later', () => {
    const cache = new RuleCache();
    cache.set(rule('gone', { namespace: 'other' }));
    cache.replaceAll([rule('a'), rule('a', { priority: 3 })]);
    expect(cache.snapshot().rulesFor('other')).to.deep.equal([]);
    expect(cache.snapshot().rulesFor('shop')).to.deep.equal([rule('a', { priority: 3 })]);
  });

  it('reports the namespaces whose rules have changed, and no others', () => {
    const cache = new RuleCache();
    const told: string[] = [];
    cache.onChange((namespace) => told.push(`${namespace} ${cache.snapshot().rulesFor(namespace).length}`));
    cache.set(rule('a'));
    cache.set(rule('a'));
    cache.set(rule('b', { namespace: 'other' }));
    cache.replaceAll([rule('a'), rule('c', { namespace: 'third' })]);
    cache.delete('shop', 'a');
    cache.delete('shop', 'a');
    expect(told).to.deep.equal(['shop 1', 'other 1', 'other 0', 'third 1', 'shop 0']);
  });

  it('names the namespaces that have rules, with their failure policies', () => {
    const cache = new RuleCache();
    expect(cache.namespaces()).to.deep.equal([]);
    cache.set(rule('a', { namespace: 'web', failurePolicy: 'Ignore' }));
    cache.set(rule('b', { namespace: 'web', failurePolicy: 'Fail' }));
    cache.set(rule('c', { namespace: 'web', failurePolicy: 'Ignore' }));
    cache.set(rule('d', { namespace: 'batch', failurePolicy: 'Ignore' }));
    cache.set(rule('e', { namespace: 'gone' }));
    cache.delete('gone', 'e');
    expect(cache.namespaces()).to.deep.equal([
      { name: 'batch', failurePolicies: ['Ignore'] },
      { name: 'web', failurePolicies: ['Fail', 'Ignore'] },
    ]);
  });
});
