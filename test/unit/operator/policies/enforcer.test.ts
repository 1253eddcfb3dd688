import { expect } from 'chai';

import { keyOf } from '../../../../core/object.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { compilePolicy } from '../../../../core/policy/compile.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { decodeRule, encodeRule } from '../../../../core/policy/stored-rule.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { Enforcer } from '../../../../operator/policies/enforcer.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import { defaults, manifest, ruleOf, validate } from '../../../support/example-policy.ts';
import type { Written } from '../../../support/example-policy.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';

describe('putting policies in force', () => {
  let objects: Map<string, KubernetesObject>;
  let rules: RuleCache;
  let told: ReturnType<RuleCache['namespaces']>[];
  let lastGood: () => Promise<Rule | undefined>;
  let clock: ManualClock;
  let enforcer: Enforcer;

  beforeEach(() => {
    objects = new Map();
    rules = new RuleCache();
    told = [];
    lastGood = () => Promise.resolve(undefined);
    clock = new ManualClock();
    enforcer = new Enforcer({
      policies: { get: (key) => objects.get(key), list: () => [...objects.values()] },
      validate,
      compile: (policy) => compilePolicy(policy, defaults),
      rules,
      history: { lastGood: () => lastGood() },
      onNamespaces: (namespaces) => void told.push(namespaces),
      clock,
      logger: testLog().logger,
    });
  });

  function put(written: Written): string {
    const object = manifest(written) as unknown as KubernetesObject;
    const key = keyOf(object.metadata);
    objects.set(key, object);
    return key;
  }

  const BAD = { vault: { tls: { caBundle: 'no PEM' } } };
  const names = (): string[] =>
    rules
      .snapshot()
      .rulesFor('shop')
      .map(({ policy }) => policy.name);

  it('lets plain http go on that was in force before it needed consent, and says that it needs it', async () => {
    const before = ruleOf({ vault: { address: 'http://vault', allowPlaintext: true } });
    const written = JSON.parse(JSON.stringify(encodeRule(before))) as { rule: { vault: { allowPlaintext?: boolean } } };
    delete written.rule.vault.allowPlaintext;
    lastGood = () => Promise.resolve(decodeRule(written, before.policy));
    const key = put({ vault: { address: 'http://vault' } });
    await enforcer.load();
    expect(enforcer.verdictOf(key)).to.include({ ok: false, reason: 'PlaintextNotAllowed' });
    const [rule] = rules.snapshot().rulesFor('shop');
    expect(rule?.vault).to.include({ address: 'http://vault', allowPlaintext: true });
  });

  it('does not begin with plain http without consent', async () => {
    const key = put({ vault: { address: 'http://vault' } });
    await enforcer.load();
    expect(enforcer.verdictOf(key)).to.include({ ok: false, reason: 'PlaintextNotAllowed' });
    expect(rules.snapshot().rulesFor('shop')).to.deep.equal([]);
    expect(rules.snapshot().unusableFor('shop')).to.have.length(1);
  });

  it('follows the delivery that the status says was chosen, and no other change of a status', () => {
    const key = put({});
    const object = objects.get(key);
    const withStatus = (status: object): boolean => {
      objects.set(key, { ...object, status } as KubernetesObject);
      return enforcer.enforce(key);
    };
    enforcer.enforce(key);
    const delivery = (): string | undefined => rules.snapshot().rulesFor('shop')[0]?.injector.delivery;
    expect(delivery()).to.equal('InitContainer');
    expect(withStatus({ injector: { delivery: 'ImageVolume', message: 'all can' } })).to.equal(true);
    expect(delivery()).to.equal('ImageVolume');
    expect(withStatus({ injector: { delivery: 'ImageVolume', message: 'all of 7 can' } })).to.equal(false);
    expect(withStatus({})).to.equal(true);
    expect(delivery()).to.equal('InitContainer');
  });

  it('at the start does all of it before it tells the namespaces, once', async () => {
    put({ metadata: { name: 'good' } });
    put({ metadata: { name: 'bad' }, failurePolicy: 'Fail', ...BAD });
    put({ metadata: { name: 'off' }, suspend: true });
    put({ metadata: { name: 'else', namespace: 'web' } });
    await enforcer.load();
    expect(names()).to.deep.equal(['good']);
    expect(rules.snapshot().unusableFor('shop')[0]?.policy.name).to.equal('bad');
    expect(told.map((one) => [...one].map(([name, kinds]) => [name, kinds.get('Deployment')]))).to.deep.equal([
      [
        ['shop', 'Fail'],
        ['web', 'Ignore'],
      ],
    ]);
  });

  it('tells the namespaces even if there is no policy at all', async () => {
    await enforcer.load();
    expect(told.map(({ size }) => size)).to.deep.equal([0]);
  });

  it('reads the last good rules before it has finished loading', async () => {
    lastGood = () => Promise.resolve(ruleOf({ metadata: { generation: 2 } }));
    put(BAD);
    await enforcer.load();
    expect(rules.snapshot().rulesFor('shop')[0]?.policy.generation).to.equal(2);
  });

  it('does not wait for them for longer than five seconds, and refuses meanwhile', async () => {
    lastGood = () => new Promise(() => undefined);
    put(BAD);
    const loading = enforcer.load();
    await clock.advance(5_000);
    await loading;
    expect([rules.snapshot().unusableFor('shop').length, told.length]).to.deep.equal([1, 1]);
  });

  it('does not fail with the API server, and asks again', async () => {
    lastGood = () => Promise.reject(new ApiError(500, 'InternalError', 'no'));
    const key = put(BAD);
    await enforcer.load();
    lastGood = () => Promise.resolve(ruleOf({ metadata: { generation: 2 } }));
    await enforcer.recover(key);
    expect(rules.snapshot().rulesFor('shop')[0]?.policy.generation).to.equal(2);
  });

  it('changes a rule at once, and tells the namespaces once for all changes of a turn', async () => {
    await enforcer.load();
    for (const name of ['a', 'b', 'c']) enforcer.enforce(put({ metadata: { name } }));
    expect([names(), told.length]).to.deep.equal([['a', 'b', 'c'], 1]);
    await settle();
    expect(told).to.have.length(2);
  });

  it('does not judge a policy again whose status alone has changed', async () => {
    await enforcer.load();
    const key = put({});
    expect(enforcer.enforce(key)).to.equal(true);
    put({ metadata: { resourceVersion: '9' } });
    expect(enforcer.enforce(key)).to.equal(false);
    put({ metadata: { generation: 4 }, priority: 1 });
    expect(enforcer.enforce(key)).to.equal(true);
  });

  it('drops what it was told about an earlier generation', async () => {
    await enforcer.load();
    const key = put(BAD);
    enforcer.enforce(key);
    let answer: (rule: Rule) => void = () => undefined;
    lastGood = () => new Promise((resolve) => (answer = resolve));
    const recovering = enforcer.recover(key);
    put({ metadata: { generation: 9 } });
    enforcer.enforce(key);
    answer(ruleOf({ metadata: { generation: 2 } }));
    await recovering;
    expect(rules.snapshot().rulesFor('shop')[0]?.policy.generation).to.equal(9);
  });
});
