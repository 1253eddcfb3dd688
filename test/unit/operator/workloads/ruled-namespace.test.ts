import { expect } from 'chai';

import type { Standing } from '../../../../core/workload/standing.ts';
import { workloadOf } from '../../../../core/workload/workload.ts';
import { RuledNamespace } from '../../../../operator/workloads/ruled-namespace.ts';
import type { Entry } from '../../../../operator/workloads/ruled-namespace.ts';

describe('RuledNamespace', () => {
  const longPath = `secret/data/${'x'.repeat(2 ** 20)}`;
  const standing = (reads: readonly string[]): Standing => ({
    state: 'Injected',
    policy: { name: 'shop', uid: 'u', hash: 'h' },
    yielding: [],
    reads,
    restartPending: false,
  });

  function entryOf(ruled: RuledNamespace, name: string): Entry {
    const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'shop' } };
    const entry = { workload: workloadOf(object), standing: undefined, judgedBy: undefined, isNew: false };
    ruled.entries.set(name, entry);
    return entry;
  }

  it('keeps only so much of its workloads, and says so of the others', () => {
    const ruled = new RuledNamespace(true);
    const kept = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      ruled.judged(entryOf(ruled, name), standing([longPath, 'secret/data/b'])),
    );
    expect(kept.map((one) => one?.reads.length)).to.deep.equal([2, 2, 2, 0, 0]);
    expect(kept.map((one) => one?.reason)).to.deep.equal([
      undefined,
      undefined,
      undefined,
      'WorkloadTooLarge',
      'WorkloadTooLarge',
    ]);
    expect(ruled.judged(entryOf(ruled, 'small'), standing(['secret/data/a']))?.reads).to.deep.equal(['secret/data/a']);
  });

  it('has room again when a workload is gone, or reads less', () => {
    const ruled = new RuledNamespace(true);
    const [a, b, c] = [entryOf(ruled, 'a'), entryOf(ruled, 'b'), entryOf(ruled, 'c')];
    for (const entry of [a, b, c]) ruled.judged(entry, standing([longPath]));
    const more = entryOf(ruled, 'more');
    expect(ruled.judged(more, standing([longPath]))?.reads).to.deep.equal([]);
    ruled.drop('a');
    expect(ruled.judged(more, standing([longPath]))?.reads).to.deep.equal([longPath]);
    ruled.judged(b, standing([]));
    expect(ruled.judged(entryOf(ruled, 'another'), standing([longPath]))?.reads).to.deep.equal([longPath]);
  });

  it('counts a workload that is judged often only once', () => {
    const ruled = new RuledNamespace(true);
    const entry = entryOf(ruled, 'a');
    for (let times = 0; times < 10; times++) expect(ruled.judged(entry, standing([longPath]))?.reads).to.have.length(1);
    expect(ruled.judged(entry, undefined)).to.equal(undefined);
  });
});
