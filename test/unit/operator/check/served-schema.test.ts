import { expect } from 'chai';

import { schemaOfServer } from '../../../../operator/check/served-schema.ts';

describe('the schema of an API server', () => {
  const published = (schema: object): object => ({
    components: {
      schemas: {
        'io.other.List': { 'x-kubernetes-group-version-kind': [{ kind: 'VaultInjectionPolicyList' }] },
        'io.some.name': { ...schema, 'x-kubernetes-group-version-kind': [{ kind: 'VaultInjectionPolicy' }] },
      },
    },
  });

  it('is found by its kind', () => {
    expect(schemaOfServer(published({ type: 'object' }))).to.include({ type: 'object' });
    for (const document of [undefined, {}, { components: { schemas: {} } }])
      expect(schemaOfServer(document)).to.equal(undefined);
  });
});
