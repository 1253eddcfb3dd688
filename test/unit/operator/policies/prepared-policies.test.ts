import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import { Reconciler } from '../../../../operator/policies/reconciler.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import type { VaultInjectionPolicy } from '../../../../core/policy/policy.generated.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';

const policy = (name: string, resourceVersion: string): KubernetesObject => ({
  apiVersion: 'vaultinjection.dev/v1alpha1',
  kind: 'VaultInjectionPolicy',
  metadata: { name, namespace: 'shop', uid: name, resourceVersion },
});

describe('policies that are judged as their pages arrive', () => {
  it('are not judged again when all rules are put in force, unless they have changed since', () => {
    const compiled: string[] = [];
    const rules = new RuleCache();
    const objects = [policy('web', '2'), policy('db', '1')];
    const reconciler = new Reconciler({
      policies: { get: () => undefined, list: () => objects },
      validate: (object) => ({ ok: true, policy: object as VaultInjectionPolicy }),
      compile: ({ metadata }) => {
        compiled.push(metadata.name);
        return { ok: true, suspended: false, rule: ruleWith({ policy: { name: metadata.name } }) };
      },
      rules,
      webhook: { setPolicies: () => undefined, programmed: () => true, excludes: () => false },
      certificateReady: () => true,
      isLeader: () => true,
      again: () => undefined,
      vault: {
        watch: () => undefined,
        unwatch: () => undefined,
        health: () => ({ status: 'Unknown', reason: 'VaultNotChecked', message: '' }),
      },
      client: { apply: () => Promise.reject(new Error('nothing is written')) },
      clock: new ManualClock(),
      logger: testLog().logger,
    });
    for (const object of [policy('web', '1'), policy('db', '1')]) reconciler.prepare(object);
    expect(compiled.splice(0)).to.deep.equal(['web', 'db']);
    reconciler.load();
    expect(compiled).to.deep.equal(['web']);
    expect(rules.snapshot().rulesFor('shop')).to.have.length(2);
  });
});
