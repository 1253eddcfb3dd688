import { expect } from 'chai';

import { changedNamespaces } from '../../../../operator/composition/changed-namespaces.ts';

describe('the namespaces that a change concerns', () => {
  it('are those for which it is otherwise than the last time, and new ones for which it is true', () => {
    const state = new Map([
      ['shop', true],
      ['bank', false],
    ]);
    const changed = changedNamespaces(
      () => state.keys(),
      (namespace) => state.get(namespace) === true,
    );
    expect([...changed()]).to.deep.equal(['shop']);
    expect([...changed()]).to.deep.equal([]);
    state.set('bank', true).set('shop', false).set('club', false);
    expect([...changed()]).to.have.members(['shop', 'bank']);
    state.delete('bank');
    expect([...changed()]).to.deep.equal([]);
    state.set('bank', true);
    expect([...changed()], 'one that comes back').to.deep.equal(['bank']);
  });
});
