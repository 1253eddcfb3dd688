import { expect } from 'chai';

import type { KubernetesObject } from '../../../../core/object.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { RuleHistory } from '../../../../operator/policies/rule-history.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { ruleOf } from '../../../support/example-policy.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const REVISIONS = { group: 'apps', version: 'v1', plural: 'controllerrevisions', namespace: 'shop' };

const rule = (generation: number, more: object = {}): Rule => ruleOf({ metadata: { generation }, ...more });

describe('the last good rules', () => {
  let api: MemoryApi;
  let history: RuleHistory;

  beforeEach(() => {
    api = new MemoryApi();
    history = another();
  });

  /** As another process, or this one after a restart. */
  const another = (): RuleHistory => new RuleHistory({ client: api, labels: { a: 'b' } });
  const stored = async (): Promise<KubernetesObject[]> => [...(await api.list(REVISIONS)).items];
  const generations = async (): Promise<unknown[]> => (await stored()).map(({ revision }) => revision);

  it('are there for every process, in an object that belongs to the policy', async () => {
    await history.keep(rule(3));
    expect(await another().lastGood(rule(5).policy)).to.deep.equal(rule(3));
    const [revision] = await stored();
    expect(revision?.metadata.ownerReferences).to.deep.equal([
      {
        apiVersion: 'vaultinjection.dev/v1alpha1',
        kind: 'VaultInjectionPolicy',
        name: 'shop',
        uid: 'u-1',
        controller: true,
      },
    ]);
  });

  it('are none for another policy, or another one of that name', async () => {
    await history.keep(rule(3));
    expect(await history.lastGood({ ...rule(3).policy, uid: 'another' })).to.equal(undefined);
  });

  it('are one for each policy, the newest', async () => {
    await history.keep(rule(1));
    await history.keep(rule(2));
    await another().keep(rule(3));
    expect(await generations()).to.deep.equal([3]);
  });

  it('follow a change of the rule without one of the policy, such as another injector image', async () => {
    await history.keep(rule(1));
    const changed = rule(1, { injector: { image: 'other' } });
    await history.keep(changed);
    expect(await history.lastGood(rule(2).policy)).to.deep.equal(changed);
    expect(await generations()).to.deep.equal([1]);
  });

  it('are not replaced by older ones', async () => {
    await history.keep(rule(4));
    await another().keep(rule(3));
    expect(await generations()).to.deep.equal([4]);
  });

  it('cost nothing while nothing changes, and one list after a restart', async () => {
    await history.keep(rule(1));
    const calls = api.calls.length;
    for (let round = 0; round < 5; round += 1) await history.keep(rule(1));
    expect(api.calls).to.have.length(calls);
    const restarted = another();
    for (let round = 0; round < 5; round += 1) await restarted.keep(rule(1));
    expect(api.calls.slice(calls)).to.deep.equal(['list controllerrevisions']);
  });

  it('survive a crash between the new one and the removal of the old one', async () => {
    await history.keep(rule(1));
    api.before = (operation) => {
      if (operation === 'delete') throw new ApiError(0, 'Unreachable', 'gone');
    };
    const error: unknown = await history.keep(rule(2)).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(ApiError);
    expect(await another().lastGood(rule(3).policy)).to.deep.equal(rule(2));
    api.before = () => undefined;
    await another().keep(rule(2));
    expect(await generations()).to.deep.equal([2]);
  });

  it('are kept although somebody has deleted the old one', async () => {
    await history.keep(rule(1));
    const [old] = await stored();
    await api.delete(REVISIONS, old?.metadata.name ?? '');
    await history.keep(rule(2));
    expect(await generations()).to.deep.equal([2]);
    expect(await history.isKept(rule(2))).to.equal(true);
  });

  it('ignore what is no rule, and what carries the label but belongs to nobody', async () => {
    await history.keep(rule(1));
    const [mine] = await stored();
    if (mine === undefined) throw new Error('nothing is stored');
    const { name, labels } = mine.metadata;
    await api.create(REVISIONS, {
      ...mine,
      metadata: { name: `${name}-x`, namespace: 'shop', labels: labels ?? {} },
      revision: 9,
    });
    expect(await history.lastGood(rule(2).policy)).to.deep.equal(rule(1));
    await api.replace(REVISIONS, { ...mine, data: { generation: 1, rule: { priority: 'high' } } });
    expect(await history.lastGood(rule(2).policy)).to.equal(undefined);
  });
});
