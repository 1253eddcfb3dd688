import { expect } from 'chai';

import { Listeners } from '../../../kube/listeners.ts';

describe('Listeners', () => {
  it('calls all listeners in order, with the arguments', () => {
    const told: string[] = [];
    const listeners = new Listeners<[policy: string, generation: number]>();
    listeners.add((policy, generation) => told.push(`first ${policy} ${generation}`));
    listeners.add((policy) => told.push(`second ${policy}`));
    listeners.notify('shop/shop', 3);
    expect(told).to.deep.equal(['first shop/shop 3', 'second shop/shop']);
  });

  it('does not call a removed listener, even if it was removed during a call', () => {
    const told: string[] = [];
    const listeners = new Listeners();
    const end = listeners.add(() => {
      told.push('once');
      end();
    });
    listeners.add(() => told.push('always'));
    listeners.notify();
    listeners.notify();
    expect(told).to.deep.equal(['once', 'always', 'always']);
  });
});
