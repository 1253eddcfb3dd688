import { expect } from 'chai';
import { OwnDenials } from '../../../../operator/replicas/own-denials.ts';
import { hiddenIn, HOSTILE } from '../../../support/hostile-text.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

describe('a denial that a replica publishes', () => {
  it('is shown text, so that it fits into the Lease and the status', () => {
    const denials = new OwnDenials(new ManualClock(0));
    const denied = { kind: 'Deployment', name: HOSTILE, reason: 'PathNotAllowed', message: HOSTILE };
    expect(denials.note('shop/web', denied)).to.equal(true);
    expect(denials.note('shop/web', denied), 'the same again').to.equal(false);
    const { name, message } = { ...denied, ...denials.list()[0] };
    expect(hiddenIn(name + message)).to.deep.equal([]);
    expect([name.length, message.length]).to.deep.equal([253, 1_000]);
  });
});
