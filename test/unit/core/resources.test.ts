import { expect } from 'chai';

import { coreResource } from '../../../core/resources.ts';

describe('coreResource', () => {
  it('is the resource of a namespace', () => {
    const resource = { group: '', version: 'v1', plural: 'configmaps', namespace: 'shop' };
    expect(coreResource('ConfigMap', 'shop')).to.deep.equal(resource);
  });

  it('is that of no namespace, or of all', () =>
    expect(coreResource('Node')).to.deep.equal({ group: '', version: 'v1', plural: 'nodes' }));
});
