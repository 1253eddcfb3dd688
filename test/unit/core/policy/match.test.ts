import { expect } from 'chai';
import { matchesAny, matchesSelector, matchesWildcard, matchingRules } from '../../../../core/policy/match.ts';
import type { LabelRequirement } from '../../../../core/policy/rule.ts';
import { ruleOf } from '../../../support/example-policy.ts';

describe('matchesWildcard', () => {
  const cases: readonly (readonly [pattern: string, text: string, expected: boolean])[] = [
    ['app', 'app', true],
    ['app', 'apps', false],
    ['app', 'App', false],
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'secret/data/x', true],
    ['**', 'anything', true],
    ['worker-*', 'worker-', true],
    ['worker-*', 'worker-1', true],
    ['worker-*', 'a-worker-1', false],
    ['*-ro', 'payments-ro', true],
    ['*-ro', 'payments-rw', false],
    ['secret/*/db', 'secret/data/shop/db', true],
    ['secret/*/db', 'secret/db', false],
    // the end must not use again what the beginning has used
    ['aba*aba', 'aba', false],
    ['aba*aba', 'ababa', false],
    ['aba*aba', 'abaaba', true],
    ['*ab*ab*', 'ab', false],
    ['*ab*ab*', 'xabyabz', true],
    ['a*b*c', 'a-c-b', false],
    ['a*b*c', 'abcbc', true],
    ['a*bc*c', 'abc', false],
    // what has a meaning in a regular expression is literal
    ['redis:7.*', 'redis:7.2', true],
    ['redis:7.*', 'redis:7x2', false],
    ['(a+)+$', '(a+)+$', true],
    ['(a+)+$', 'aaaa', false],
    ['[ab]?', 'a', false],
    ['\\*', '\\anything', true],
  ];
  for (const [pattern, text, expected] of cases)
    it(`${pattern || "''"} ${expected ? 'is' : 'is not'} ${text || "''"}`, () => {
      expect(matchesWildcard(pattern, text)).to.equal(expected);
    });

  it('agrees with a regular expression for all short patterns and texts over * a b', () => {
    const words = (letters: readonly string[], length: number): string[] =>
      length === 0 ? [''] : words(letters, length - 1).flatMap((word) => [...letters, ''].map((l) => l + word));
    const texts = new Set(words(['a', 'b'], 5));
    for (const pattern of new Set(words(['*', 'a', 'b'], 5))) {
      const regularExpression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
      for (const text of texts)
        expect(matchesWildcard(pattern, text), `${pattern} ${text}`).to.equal(regularExpression.test(text));
    }
  });
});

describe('matchesAny', () => {
  it('holds when one pattern does, and never without patterns', () => {
    expect(matchesAny(['a', 'b*'], 'bc')).to.equal(true);
    expect(matchesAny(['a', 'b*'], 'c')).to.equal(false);
    expect(matchesAny([], '')).to.equal(false);
  });
});

describe('matchesSelector', () => {
  const labels = { app: 'web', tier: 'front', empty: '' };
  const selects = (matchLabels: Record<string, string>, ...matchExpressions: LabelRequirement[]): boolean =>
    matchesSelector({ matchLabels, matchExpressions }, labels);
  const expression = (key: string, operator: LabelRequirement['operator'], ...values: string[]): LabelRequirement => ({
    key,
    operator,
    values,
  });

  it('selects everything when it is empty', () => {
    expect(selects({})).to.equal(true);
    expect(matchesSelector({ matchLabels: {}, matchExpressions: [] }, {})).to.equal(true);
  });

  it('asks for all of matchLabels', () => {
    expect(selects({ app: 'web' })).to.equal(true);
    expect(selects({ app: 'web', tier: 'front' })).to.equal(true);
    expect(selects({ app: 'web', tier: 'back' })).to.equal(false);
    expect(selects({ other: '' })).to.equal(false);
    expect(selects({ empty: '' })).to.equal(true);
  });

  const operators: readonly (readonly [requirement: LabelRequirement, expected: boolean])[] = [
    [expression('app', 'In', 'api', 'web'), true],
    [expression('app', 'In', 'api'), false],
    [expression('other', 'In', 'web'), false],
    [expression('app', 'NotIn', 'api'), true],
    [expression('app', 'NotIn', 'api', 'web'), false],
    [expression('other', 'NotIn', 'web'), true],
    [expression('empty', 'Exists'), true],
    [expression('other', 'Exists'), false],
    [expression('other', 'DoesNotExist'), true],
    [expression('empty', 'DoesNotExist'), false],
    // every object has a member of this name, no workload here has such a label
    [expression('constructor', 'Exists'), false],
  ];
  for (const [requirement, expected] of operators)
    it(`${requirement.key} ${requirement.operator} (${requirement.values.join(', ')}): ${expected}`, () => {
      expect(selects({}, requirement)).to.equal(expected);
    });

  it('asks for labels and expressions together', () => {
    expect(selects({ app: 'web' }, expression('tier', 'Exists'))).to.equal(true);
    expect(selects({ app: 'web' }, expression('tier', 'DoesNotExist'))).to.equal(false);
    expect(selects({ app: 'api' }, expression('tier', 'Exists'))).to.equal(false);
  });
});

describe('matchingRules', () => {
  const all = ruleOf({ metadata: { name: 'all' } });
  const sets = ruleOf({ metadata: { name: 'sets' }, targets: ['StatefulSet'] });
  const web = ruleOf({ metadata: { name: 'web' }, selector: { matchLabels: { app: 'web' } } });

  it('returns the rules for the kind and the labels, in the order given', () => {
    expect(matchingRules([web, sets, all], 'Deployment', { app: 'web' })).to.deep.equal([web, all]);
    expect(matchingRules([all, sets, web], 'StatefulSet', {})).to.deep.equal([all, sets]);
    expect(matchingRules([sets, web], 'Deployment', {})).to.deep.equal([]);
  });
});
