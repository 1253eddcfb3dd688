import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { parse } from 'yaml';

const CRD = join(import.meta.dirname, '../../../../crds/vaultinjectionpolicies.yaml');

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

/** Paths of the fields below `schema` that say nothing about themselves. */
function undescribed(schema: Schema, path: string): string[] {
  const inside = [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
      ...((field.description ?? '').trim() === '' ? [`${path}.${name}`] : []),
      ...undescribed(field, `${path}.${name}`),
    ]),
    ...(schema.items === undefined ? [] : undescribed(schema.items, `${path}[]`)),
  ];
  return typeof schema.additionalProperties === 'object'
    ? [...inside, ...undescribed(schema.additionalProperties, `${path}{}`)]
    : inside;
}

it('kubectl explain has a sentence for every field of a policy, of its spec and of its status', () => {
  const crd = parse(readFileSync(CRD, 'utf8')) as {
    spec: { versions: { name: string; schema: { openAPIV3Schema: Schema } }[] };
  };
  const found = crd.spec.versions.flatMap(({ name, schema: { openAPIV3Schema } }) =>
    Object.entries(openAPIV3Schema.properties ?? {})
      .filter(([part]) => part === 'spec' || part === 'status')
      .flatMap(([part, schema]) => undescribed(schema, `${name}.${part}`)),
  );
  expect(found).to.deep.equal([]);
});
