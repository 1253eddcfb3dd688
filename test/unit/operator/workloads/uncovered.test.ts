import { expect } from 'chai';

import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import { Inventory } from '../../../../operator/workloads/inventory.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const resourceOf = (plural: string, namespace: string): Resource => ({
  group: 'apps',
  version: 'v1',
  plural,
  namespace,
});

describe('what the inventory knows of kinds that no policy names', () => {
  let api: MemoryApi;
  let rules: RuleCache;
  let changed: string[];
  let wouldApply: string | undefined;
  let inventory: Inventory;

  beforeEach(() => {
    api = new MemoryApi();
    rules = new RuleCache();
    [changed, wouldApply] = [[], 'shop-secrets'];
    inventory = new Inventory({
      client: api,
      rules,
      excludes: () => false,
      judge: (_key, { metadata }) => {
        if (metadata.name === 'unmatched') return undefined;
        const policy = { name: 'shop-secrets', uid: 'uid-1', hash: 'aaaaaaaaaaaa' };
        return { state: 'Injected', policy, yielding: [], reads: [], restartPending: false };
      },
      uncoveredBy: ({ kind }) => (kind === 'StatefulSet' ? wouldApply : undefined),
      clock: new ManualClock(),
      random: () => 0.5,
      logger: testLog().logger,
      onChanged: (policyKey) => changed.push(policyKey),
      onSettled: () => undefined,
    });
  });
  afterEach(() => inventory.stop());

  async function create(name: string, namespace = 'shop', plural = 'deployments'): Promise<KubernetesObject> {
    const kind = plural === 'deployments' ? 'Deployment' : 'StatefulSet';
    const object = { apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec: {} };
    return api.create(resourceOf(plural, namespace), object);
  }

  const rule = (namespace: string, name = 'shop-secrets'): boolean =>
    rules.set(ruleWith({ policy: { namespace, name } }));

  it('knows what no policy names, and tells the policies that would apply when that changes', async () => {
    await create('unmatched', 'shop', 'statefulsets');
    await create('unmatched', 'shop');
    await create('db', 'shop', 'statefulsets');
    rule('shop');
    inventory.start();
    await settle();
    const found = [{ kind: 'StatefulSet', name: 'unmatched', policy: 'shop-secrets' }];
    expect(inventory.uncovered.of('shop')).to.deep.equal(found);
    expect(inventory.uncovered.counts()).to.deep.equal({ StatefulSet: 1 });
    expect(inventory.uncovered.of('bank')).to.deep.equal([]);
    changed.length = 0;
    inventory.judgeAgain('StatefulSet/shop/unmatched');
    await settle();
    expect(changed, 'nothing has changed').to.deep.equal([]);
    wouldApply = 'other';
    inventory.judgeAgain('StatefulSet/shop/unmatched');
    await settle();
    expect(changed).to.deep.equal(['shop/shop-secrets', 'shop/other']);
    await api.delete(resourceOf('statefulsets', 'shop'), 'unmatched');
    await settle();
    expect(changed.slice(2)).to.deep.equal(['shop/other']);
    expect(inventory.uncovered.counts()).to.deep.equal({});
  });

  it('forgets what no policy names with the last policy of the namespace', async () => {
    await create('unmatched', 'shop', 'statefulsets');
    rule('shop');
    inventory.start();
    await settle();
    rules.delete('shop', 'shop-secrets');
    await settle();
    expect(inventory.uncovered.of('shop')).to.deep.equal([]);
    expect(inventory.uncovered.counts()).to.deep.equal({});
  });
});
