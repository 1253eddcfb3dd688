import { expect } from 'chai';

import type { PublishedPods } from '../../../../operator/replicas/state.ts';
import { podOutcomeOf, podStatusOf, withTold } from '../../../../operator/workloads/pod-sums.ts';
import type { PodStatus } from '../../../../operator/workloads/pod-sums.ts';

function told(id: string, injected: number, changes: Partial<PublishedPods> = {}): [string, PublishedPods] {
  const none = { denied: 0, failed: 0, unchanged: 0 };
  return [id, { policy: 'shop/a', uid: 'u', injected, ...none, first: 10, last: 20, ...changes }];
}

const add = (known: PodStatus | undefined, ...those: readonly [string, PublishedPods][]): PodStatus | undefined =>
  withTold(known, new Map(those));

describe('the sum of pods that replicas reviewed', () => {
  it('adds up what each tells, with the earliest and the latest time', () => {
    const other = told('b', 1, { denied: 2, failed: 3, unchanged: 4, first: 5, last: 15 });
    expect(add(undefined, told('a', 7), other)).to.deep.equal({
      injected: 8,
      denied: 2,
      failed: 3,
      unchanged: 4,
      since: '1970-01-01T00:00:05Z',
      lastTime: '1970-01-01T00:00:20Z',
      counted: ['a 7/0/0/0', 'b 1/2/3/4'],
    });
  });

  it('adds nothing twice, in whatever order and how often it is told', () => {
    const first = add(undefined, told('a', 7));
    expect(add(first, told('a', 7)), 'the same').to.equal(first);
    const second = add(first, told('b', 1), told('a', 9));
    expect(second?.injected).to.equal(10);
    expect(add(first, told('a', 9), told('b', 1))?.injected, 'another leader, from an older status').to.equal(10);
    expect(add(podStatusOf(JSON.parse(JSON.stringify(second))), told('a', 9))?.injected, 'as stored').to.equal(10);
  });

  it('keeps what a process told that is gone, and adds what its successor tells', () => {
    const before = add(undefined, told('a', 7));
    const after = add(before, told('a2', 3));
    expect(after?.injected).to.equal(10);
    expect(add(after, told('a', 7))?.injected, 'seen again').to.equal(10);
  });

  it('takes a sum that is smaller for one that began again', () => {
    expect(add(add(undefined, told('a', 7)), told('a', 2))?.injected).to.equal(9);
  });

  it('remembers 32 processes, those first that may go on', () => {
    let status = add(undefined, told('old', 1), told('alive', 1));
    for (let index = 0; index < 40; index++) {
      status = withTold(status, new Map([told(`p${index}`, 1)]), new Set(['alive', `p${index}`]));
    }
    expect(status?.injected).to.equal(42);
    expect(status?.counted).to.have.length(32);
    expect(status?.counted?.some((text) => text.startsWith('alive '))).to.equal(true);
    expect(status?.counted?.some((text) => text.startsWith('old '))).to.equal(false);
  });

  it('reads what nobody of us has written as nothing', () => {
    for (const value of [undefined, null, 'x', {}, { injected: 1 }, { injected: 'x', since: 'y' }]) {
      expect(podStatusOf(value)).to.equal(undefined);
    }
  });
});

describe('as what a review of a pod counts', () => {
  const pod = { namespace: 'shop', kind: 'Pod', name: 'web-', operation: 'CREATE', outcome: 'Injected' };
  const denial = { reason: 'PathNotAllowed', message: 'why' };
  const table: readonly [string, object, string | undefined][] = [
    ['injected', {}, 'injected'],
    ['refused', { outcome: 'Denied', denial }, 'denied'],
    ['left as it is by a policy that cannot be used', { outcome: 'Unchanged', held: denial }, 'failed'],
    ['with a container left out', { skipped: [denial] }, 'failed'],
    ['without references', { outcome: 'Unchanged' }, 'unchanged'],
    ['that keeps itself out', { outcome: 'Excluded' }, 'unchanged'],
    ['reviewed a second time', { outcome: 'Unchanged', cameInjected: true }, undefined],
    ['that is updated', { operation: 'UPDATE' }, undefined],
    ['no pod', { kind: 'Job' }, undefined],
  ];
  for (const [what, changes, expected] of table)
    it(`${what}: ${expected ?? 'nothing'}`, () => expect(podOutcomeOf({ ...pod, ...changes })).to.equal(expected));
});
