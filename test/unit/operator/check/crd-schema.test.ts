import { expect } from 'chai';

import { readCrd } from '../../../../operator/crd.ts';
import { lackingIn, schemaOfCrd, schemaOfServer } from '../../../../operator/check/crd-schema.ts';

describe('the schema of an API server', () => {
  const own = schemaOfCrd(readCrd());
  const changed = (
    change: (schema: { properties: Record<string, { properties: Record<string, unknown> }> }) => void,
  ) => {
    const copy = structuredClone(own) as Parameters<typeof change>[0];
    change(copy);
    return copy;
  };
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

  it('lacks nothing if it is the same or newer', () => {
    expect(lackingIn(own, own)).to.deep.equal([]);
    const newer = changed(({ properties }) =>
      Object.assign(properties.spec?.properties ?? {}, { added: { type: 'string' } }),
    );
    expect(lackingIn(newer, own)).to.deep.equal([]);
  });

  it('lacks fields that are new, each once and at its place', () => {
    const older = changed(({ properties }) => {
      delete properties.spec?.properties.rotation;
      delete properties.status?.properties.injector;
    });
    expect(lackingIn(older, own)).to.deep.equal(['spec.rotation', 'status.injector']);
  });

  it('lacks values that are new', () => {
    const schema = (values: readonly string[]): Record<string, unknown> => ({
      properties: { spec: { properties: { mode: { type: 'string', enum: values } } } },
    });
    expect(lackingIn(schema(['Exec']), schema(['Exec', 'Daemon']))).to.deep.equal(['spec.mode: Daemon']);
  });

  it('lacks fields in lists', () => {
    const schema = (names: readonly string[]): Record<string, unknown> => ({
      properties: {
        spec: {
          properties: { images: { items: { properties: Object.fromEntries(names.map((name) => [name, {}])) } } },
        },
      },
    });
    expect(lackingIn(schema(['match']), schema(['match', 'cmd']))).to.deep.equal(['spec.images[].cmd']);
  });

  it('is that of a CRD, or nothing is compared', () => {
    expect(() => schemaOfCrd({})).to.throw('no version v1alpha1');
  });
});
