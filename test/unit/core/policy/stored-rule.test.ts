import { expect } from 'chai';

import { without } from '../../../../core/json.ts';
import type { RawObject } from '../../../../core/json.ts';
import { decodeRule, encodeRule } from '../../../../core/policy/stored-rule.ts';
import { ruleOf } from '../../../support/example-policy.ts';

const rule = ruleOf({
  metadata: { generation: 3 },
  selector: { matchLabels: { app: 'web' } },
  failurePolicy: 'Fail',
  environment: { fromPaths: [{ path: 'secret/data/a', version: 2 }], allowedPaths: ['secret/*'] },
  injector: { resources: {} },
  images: [{ match: 'redis:*', entrypoint: ['redis'] }],
});

/** What is stored, as the API server sends it back. */
function stored(change: (content: Record<string, unknown>) => void = () => undefined): RawObject {
  const data = JSON.parse(JSON.stringify(encodeRule(rule))) as { rule: Record<string, unknown> };
  change(data.rule);
  return data;
}

describe('a stored rule', () => {
  it('is the same when it is read', () => {
    expect(decodeRule(stored(), rule.policy)).to.deep.equal(rule);
  });

  it('belongs to the policy that owns it, with its own generation', () => {
    const now = { ...rule.policy, generation: 9, createdAt: 5 };
    expect(decodeRule(stored(), now)?.policy).to.deep.equal({ ...now, generation: 3 });
  });

  it('gets the defaults of fields that it did not have yet, and keeps those that are unknown now', () => {
    const read = decodeRule(
      stored((content) => {
        delete content.rotation;
        content.later = 1;
      }),
      rule.policy,
    );
    expect(read).to.deep.equal({ ...rule, later: 1 });
  });

  it('says who accepts its tokens, although rules did not say that at first', () => {
    const opens = (auth: object): unknown =>
      decodeRule(
        stored((content) => ((content.vault as Record<string, unknown>).auth = auth)),
        rule.policy,
      )?.vault.auth.isForAPIServer;
    const before = without({ ...rule.vault.auth }, 'isForAPIServer');
    expect(opens({ ...before, audience: '' })).to.equal(true);
    expect(opens({ ...before, audience: 'vault' })).to.equal(false);
    expect(opens({ ...before, method: 'AWS', audience: '' })).to.equal(false);
    expect(opens({ ...before, audience: 'https://kubernetes.default.svc', isForAPIServer: true })).to.equal(true);
  });

  it('goes on with plain http that it did not have to agree to', () => {
    const agrees = (fields: object): unknown => {
      const before = without({ ...rule.vault }, 'allowPlaintext');
      return decodeRule(
        stored((content) => (content.vault = { ...before, ...fields })),
        rule.policy,
      )?.vault.allowPlaintext;
    };
    expect(agrees({ address: 'http://vault' })).to.equal(true);
    expect(agrees({ address: 'https://vault' })).to.equal(false);
  });

  const bad: readonly [string, (content: Record<string, unknown>) => void][] = [
    ['a field of another type', (content) => (content.priority = 'high')],
    ['a part of another type', (content) => (content.vault = [])],
    ['a text in a part of another type', (content) => ((content.vault as Record<string, unknown>).address = 7)],
    ['an unknown failure policy', (content) => (content.failurePolicy = 'Warn')],
    [
      'an unknown auth method',
      (content) => ((content.vault as { auth: Record<string, unknown> }).auth.method = 'Magic'),
    ],
    ['an unknown target', (content) => (content.targets = ['Node'])],
    ['a target that is no text', (content) => (content.targets = [7])],
  ];
  for (const [what, change] of bad)
    it(`is none with ${what}`, () => expect(decodeRule(stored(change), rule.policy)).to.equal(undefined));

  it('is none if it is anything else', () => {
    for (const data of [undefined, null, 7, {}, { rule: {} }, { generation: 1 }])
      expect(decodeRule(data, rule.policy)).to.equal(undefined);
  });
});
