import { expect } from 'chai';

import { bounded, lightened, weightOf } from '../../../../core/workload/standing-weight.ts';
import type { Standing } from '../../../../core/workload/standing.ts';

const standing = (fields: Partial<Standing> = {}): Standing => ({
  state: 'Injected',
  policy: { name: 'shop', uid: 'u', hash: 'h' },
  yielding: [],
  reads: [],
  restartPending: false,
  ...fields,
});

describe('what is kept of a standing', () => {
  it('weighs what somebody wrote: message, paths, images, names', () => {
    const fields = {
      message: 'abc',
      reads: ['secret/data/a', 'b'],
      needs: { images: ['i:1'], serviceAccount: 'default', pullSecrets: ['regcred'] },
      sourceNeeds: { objects: [{ kind: 'ConfigMap', name: 'config' }] },
    } as const;
    expect(weightOf(standing(fields))).to.equal(3 + 13 + 1 + 3 + 7 + 6);
    expect(weightOf(standing())).to.equal(0);
    expect(weightOf(standing({ reads: ['a/b'], hiddenReads: ['a/b'] }))).to.equal(6);
  });

  it('has a message of bounded length', () => {
    expect(bounded(standing({ message: 'x'.repeat(5_000) })).message).to.equal(`${'x'.repeat(1_023)}…`);
    expect(bounded(standing({ message: 'x' })).message).to.equal('x');
  });

  it('is the state and its reason if there is no room for more', () => {
    const failed = standing({ state: 'Failed', reason: 'EntrypointUnknown', message: 'y'.repeat(500), reads: ['a'] });
    const { state, reason, message, reads, needs } = lightened(failed);
    expect({ state, reason, message, reads, needs }).to.deep.equal({
      state: 'Failed',
      reason: 'EntrypointUnknown',
      message: `${'y'.repeat(255)}…`,
      reads: [],
      needs: undefined,
    });
  });

  it('says so if nothing else is to be said', () => {
    const { state, reason, message } = lightened(standing({ reads: ['a'] }));
    expect([state, reason]).to.deep.equal(['Injected', 'WorkloadTooLarge']);
    expect(message).to.contain('new versions of its secrets restart nothing');
  });
});
