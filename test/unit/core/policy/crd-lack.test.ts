import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { parse } from 'yaml';

import { describeLack, lackIn, lackOfSchema, withoutLacking } from '../../../../core/policy/crd-lack.ts';

type Json = Record<string, unknown>;

const CRD = new URL('../../../../crds/vaultinjectionpolicies.yaml', import.meta.url);
const read = (): Json => parse(readFileSync(CRD, 'utf8')) as Json;

interface Schema {
  properties: Record<string, Schema>;
  items: Schema;
  enum?: unknown[];
}

interface Crd {
  spec: {
    conversion?: { strategy: string };
    versions: { name: string; served: boolean; schema: { openAPIV3Schema: Schema } }[];
  };
}

/** The CRD after `change` of its schema. */
function changed(change: (schema: Schema) => void): unknown {
  const crd = read() as unknown as Crd;
  for (const { schema } of crd.spec.versions) change(schema.openAPIV3Schema);
  return crd;
}

function field(schema: Schema, ...steps: string[]): Schema {
  return steps.reduce((at, step) => {
    const next = step === '[]' ? at.items : at.properties[step];
    if (next === undefined) throw new Error(`the CRD has no ${steps.join('.')}`);
    return next;
  }, schema);
}

const withoutField = (...path: string[]): unknown =>
  changed((schema) => {
    Reflect.deleteProperty(field(schema, ...path.slice(0, -1)).properties, path.at(-1) ?? '');
  });

describe('what the CRD in the cluster lacks', () => {
  it('is nothing of the same, and nothing of a newer one', () => {
    expect(lackIn(read(), read())).to.deep.equal([]);
    const newer = changed((schema) => {
      const { vault, targets } = field(schema, 'spec').properties as { vault: Schema; targets: Schema };
      vault.properties.next = { type: 'string' } as unknown as Schema;
      Reflect.set(targets.items, 'pattern', '^[A-Z]');
    });
    expect(lackIn(newer, read())).to.deep.equal([]);
  });

  const rows: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['a field', withoutField('spec', 'vault', 'timeout'), ['spec.vault.timeout']],
    ['an object, which is named alone', withoutField('spec', 'rotation'), ['spec.rotation']],
    ['a field of the items of a list', withoutField('spec', 'images', '[]', 'cmd'), ['spec.images[].cmd']],
    ['a field of the status', withoutField('status', 'injector'), ['status.injector']],
    ['a value', changed((schema) => field(schema, 'spec', 'inject', 'when').enum?.pop()), ['spec.inject.when: Always']],
    [
      'all values but those of an earlier enumeration',
      changed((schema) => (field(schema, 'spec', 'targets', '[]').enum = ['Deployment', 'StatefulSet'])),
      ['spec.targets[]: more than Deployment, StatefulSet'],
    ],
  ];
  for (const [what, installed, lack] of rows)
    it(`is ${what}`, () => expect(lackIn(installed, read())).to.deep.equal(lack));

  it('is the same of a schema that an API server serves', () => {
    for (const [, installed, lack] of rows) {
      const served = (installed as Crd).spec.versions[0]?.schema.openAPIV3Schema;
      expect(lackOfSchema(served as unknown as Record<string, unknown>, read())).to.deep.equal(lack);
    }
  });

  it('is the whole version if that is not there, or not served', () => {
    const renamed = read() as unknown as Crd;
    for (const version of renamed.spec.versions) version.name = 'v1beta1';
    expect(lackIn(renamed, read())).to.deep.equal(['version v1alpha1']);
    const unserved = read() as unknown as Crd;
    for (const version of unserved.spec.versions) version.served = false;
    expect(lackIn(unserved, read())).to.deep.equal(['version v1alpha1']);
  });

  for (const [what, nonsense] of Object.entries({ nothing: undefined, text: 'x', list: [], hollow: { spec: null } }))
    it(`is the whole version of ${what}`, () => expect(lackIn(nonsense, read())).to.deep.equal(['version v1alpha1']));

  it('is named in a few words', () => {
    expect(describeLack(['spec.a', 'spec.b'])).to.equal('spec.a, spec.b');
    expect(describeLack(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).to.equal('a, b, c, d, e and 2 more');
  });

  it('is left out of a status', () => {
    const status = { injector: { delivery: 'x' }, conflicts: [{ kind: 'a', name: 'b' }], conditions: [] };
    const lack = ['spec.vault', 'status.injector', 'status.conflicts[].kind', 'status.none.such', 'status.x: Y'];
    expect(withoutLacking(status, lack)).to.deep.equal({ conflicts: [{ name: 'b' }], conditions: [] });
    expect(withoutLacking(status, [])).to.equal(status);
  });
});

describe('the CRD', () => {
  it('converts nothing: a webhook that is away would keep all policies from being read', () => {
    expect((read() as unknown as Crd).spec.conversion).to.deep.equal({ strategy: 'None' });
  });
});
