import { expect } from 'chai';
import { NamespaceLedger, RECHECK_MS, SETTLE_MS } from '../../../../webhook/configuration/namespaces.ts';

function ledger(policies?: Record<string, 'Ignore' | 'Fail'>): NamespaceLedger {
  const made = new NamespaceLedger(['kube-system']);
  if (policies) made.setPolicies(new Map(Object.entries(policies)), 0);
  return made;
}

const none = new Map<string, 'Ignore' | 'Fail'>();

describe('the namespaces that are sent to the webhook', () => {
  it('are unknown before the policies are', () => {
    const made = ledger();
    made.remember(['shop'], 0);
    expect(made.assignment()).to.equal(undefined);
  });

  it('are in one entry each, by the policies of the namespace, sorted', () => {
    expect(ledger({ b: 'Fail', a: 'Ignore', c: 'Ignore', d: 'Fail' }).assignment()).to.deep.equal({
      ignore: ['a', 'c'],
      fail: ['b', 'd'],
    });
  });

  it('are never those of the cluster', () => {
    const made = ledger({ 'kube-system': 'Fail' });
    made.remember(['kube-system'], 0);
    expect(made.assignment()).to.deep.equal({ ignore: [], fail: [] });
  });

  it('stay after their last policy, without any denials', () => {
    const made = ledger({ shop: 'Fail' });
    made.setPolicies(none, 1000);
    expect(made.assignment()).to.deep.equal({ ignore: ['shop'], fail: [] });
  });

  it('stay from before this process until they were checked', () => {
    const made = ledger();
    made.remember(['shop', 'bank'], 0);
    made.setPolicies(new Map([['bank', 'Fail']]), 10);
    expect(made.assignment()).to.deep.equal({ ignore: ['shop'], fail: ['bank'] });
    expect(made.checked('shop', false, SETTLE_MS)).to.equal(true);
    expect(made.assignment()).to.deep.equal({ ignore: [], fail: ['bank'] });
  });

  it('are checked when what was admitted under the last policy is stored, and no earlier check counts', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 1000);
    expect(made.due(1000 + SETTLE_MS - 1)).to.deep.equal([]);
    expect(made.checked('shop', false, 1000 + SETTLE_MS - 1)).to.equal(false);
    expect(made.assignment()?.ignore).to.deep.equal(['shop']);
  });

  it('are checked again every minute while they have injected workloads', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    expect(made.due(SETTLE_MS)).to.deep.equal(['shop']);
    expect(made.checked('shop', true, SETTLE_MS)).to.equal(false);
    expect(made.due(SETTLE_MS + RECHECK_MS - 1)).to.deep.equal([]);
    expect(made.nextCheckAt()).to.equal(SETTLE_MS + RECHECK_MS);
    expect(made.due(SETTLE_MS + RECHECK_MS)).to.deep.equal(['shop']);
  });

  it('are checked again soon if what was found is from too early', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    expect(made.checked('shop', false, SETTLE_MS - 1, SETTLE_MS + 7000)).to.equal(false);
    expect(made.nextCheckAt()).to.equal(SETTLE_MS + 12_000);
    expect(made.checked('shop', false, SETTLE_MS, SETTLE_MS + 12_000)).to.equal(true);
  });

  it('are checked soon after a workload was restored there', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    made.checked('shop', true, SETTLE_MS);
    made.noteRestored('shop', SETTLE_MS + 5000);
    expect(made.due(SETTLE_MS + 8000)).to.deep.equal(['shop']);
  });

  it('do not drain any more when a policy comes back', () => {
    const made = ledger({ shop: 'Ignore' });
    made.setPolicies(none, 0);
    made.setPolicies(new Map([['shop', 'Fail']]), 10);
    expect(made.checked('shop', false, SETTLE_MS)).to.equal(false);
    expect(made.assignment()).to.deep.equal({ ignore: [], fail: ['shop'] });
    expect(made.entryOf('shop')).to.equal('fail');
  });
});
