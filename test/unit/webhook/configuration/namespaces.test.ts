import { expect } from 'chai';
import type { Sent } from '../../../../webhook/configuration/groups.ts';
import { NamespaceLedger, RECHECK_MS, SETTLE_MS } from '../../../../webhook/configuration/namespaces.ts';
import type { NamespacePolicies, Place } from '../../../../webhook/configuration/namespaces.ts';
import { kindPolicies, kindsIn } from '../../../support/kind-policies.ts';

function ledger(policies?: Record<string, 'Ignore' | 'Fail'>): NamespaceLedger {
  const made = new NamespaceLedger(['kube-system']);
  if (policies) made.setPolicies(kindPolicies(Object.entries(policies), ['Deployment']), 0);
  return made;
}

const none = new Map<string, never>();
const web = (namespace: string): Place => ({ namespace, kind: 'Deployment' });
const deploymentsIn = (...namespaces: readonly string[]): Sent => kindsIn(namespaces, ['Deployment']);
/** By entry, sorted. */
const assigned = (made: NamespaceLedger): Record<string, readonly string[]> =>
  Object.fromEntries(
    Object.entries(made.assignment() ?? {}).map(([entry, sent]) => [
      entry,
      [...sent]
        .flatMap(([name, kinds]) => [...kinds].map((kind) => (kind === 'Deployment' ? name : `${name} ${kind}`)))
        .sort(),
    ]),
  );

describe('the namespaces that are sent to the webhook', () => {
  it('are unknown before the policies are', () => {
    const made = ledger();
    made.remember(deploymentsIn('shop'), 0);
    expect(made.assignment()).to.equal(undefined);
  });

  it('are in one entry each, by the policies of the namespace, sorted', () => {
    expect(assigned(ledger({ b: 'Fail', a: 'Ignore', c: 'Ignore', d: 'Fail' }))).to.deep.equal({
      ignore: ['a', 'c'],
      fail: ['b', 'd'],
    });
  });

  it('are never those of the cluster', () => {
    const made = ledger({ 'kube-system': 'Fail' });
    made.remember(deploymentsIn('kube-system'), 0);
    expect(assigned(made)).to.deep.equal({ ignore: [], fail: [] });
  });

  it('stay after their last policy, without any denials', () => {
    const made = ledger({ shop: 'Fail' });
    made.setPolicies(none, 1000);
    expect(assigned(made)).to.deep.equal({ ignore: ['shop'], fail: [] });
  });

  it('stay from before this process until they were checked', () => {
    const made = ledger();
    made.remember(deploymentsIn('shop', 'bank'), 0);
    made.setPolicies(kindPolicies([['bank', 'Fail']], ['Deployment']), 10);
    expect(assigned(made)).to.deep.equal({ ignore: ['shop'], fail: ['bank'] });
    expect(made.checked(web('shop'), false, SETTLE_MS)).to.equal(true);
    expect(assigned(made)).to.deep.equal({ ignore: [], fail: ['bank'] });
  });

  it('are checked when what was admitted under the last policy is stored, and no earlier check counts', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 1000);
    expect(made.due(1000 + SETTLE_MS - 1)).to.deep.equal([]);
    expect(made.checked(web('shop'), false, 1000 + SETTLE_MS - 1)).to.equal(false);
    expect(assigned(made).ignore).to.deep.equal(['shop']);
  });

  it('are checked again every minute while they have injected workloads', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    expect(made.due(SETTLE_MS)).to.deep.equal([web('shop')]);
    expect(made.checked(web('shop'), true, SETTLE_MS)).to.equal(false);
    expect(made.due(SETTLE_MS + RECHECK_MS - 1)).to.deep.equal([]);
    expect(made.nextCheckAt()).to.equal(SETTLE_MS + RECHECK_MS);
    expect(made.due(SETTLE_MS + RECHECK_MS)).to.deep.equal([web('shop')]);
  });

  it('are checked again soon if what was found is from too early', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    expect(made.checked(web('shop'), false, SETTLE_MS - 1, SETTLE_MS + 7000)).to.equal(false);
    expect(made.nextCheckAt()).to.equal(SETTLE_MS + 12_000);
    expect(made.checked(web('shop'), false, SETTLE_MS, SETTLE_MS + 12_000)).to.equal(true);
  });

  it('are checked soon after a workload was restored there', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    made.checked(web('shop'), true, SETTLE_MS);
    made.noteRestored('shop', SETTLE_MS + 5000);
    expect(made.due(SETTLE_MS + 8000)).to.deep.equal([web('shop')]);
  });

  it('do not drain any more when a policy comes back', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    made.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment']), 10);
    expect(made.checked(web('shop'), false, SETTLE_MS)).to.equal(false);
    expect(assigned(made)).to.deep.equal({ ignore: [], fail: ['shop'] });
    expect([...made.entriesOf('shop')]).to.deep.equal([['Deployment', 'fail']]);
  });

  describe('by kind', () => {
    const policies = { Deployment: 'Fail', CronJob: 'Ignore', Pod: 'Fail' } as const;
    const shop = (...left: (keyof typeof policies)[]): NamespacePolicies =>
      new Map([['shop', new Map(left.map((kind) => [kind, policies[kind]] as const))]]);

    it('are in an entry by the policies that name the kind', () => {
      const made = ledger();
      made.setPolicies(shop('Deployment', 'CronJob', 'Pod'), 0);
      expect(assigned(made)).to.deep.equal({ ignore: ['shop CronJob'], fail: ['shop', 'shop Pod'] });
    });

    it('drain while others are still named, each until it was checked', () => {
      const made = ledger();
      made.setPolicies(shop('Deployment', 'CronJob'), 0);
      made.setPolicies(shop('CronJob'), 0);
      expect(assigned(made)).to.deep.equal({ ignore: ['shop', 'shop CronJob'], fail: [] });
      expect(made.checked(web('shop'), false, SETTLE_MS)).to.equal(true);
      expect(assigned(made)).to.deep.equal({ ignore: ['shop CronJob'], fail: [] });
    });

    it('do not drain where nobody can count them', () => {
      const made = ledger();
      made.setPolicies(shop('CronJob', 'Pod'), 0);
      made.setPolicies(shop('CronJob'), 0);
      made.remember(kindsIn(['shop', 'bank'], ['Pod']), 0);
      expect(assigned(made)).to.deep.equal({ ignore: ['shop CronJob'], fail: [] });
    });
  });
});
