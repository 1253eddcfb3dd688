import { expect } from 'chai';

import { CONDITION_TYPES } from '../../../core/condition-types.ts';
import { STATE_NAMES } from '../../../core/workload/standing.ts';
import { crd, specSchema, statusSchema } from '../../support/example-policy.ts';

interface Column {
  readonly name: string;
  readonly jsonPath: string;
}

const { spec } = crd as { spec: { versions: { additionalPrinterColumns: readonly Column[] }[] } };
const columns = spec.versions[0]?.additionalPrinterColumns ?? [];

describe('the words of the status', () => {
  it('are, for how a workload stands, those of the CRD', () => {
    expect(statusSchema('attention').items?.properties?.state?.enum).to.deep.equal(STATE_NAMES);
    const counts = statusSchema('workloads');
    const fields = ['matched', ...STATE_NAMES.map((state) => state.toLowerCase())];
    expect(Object.keys(counts.properties ?? {})).to.deep.equal([...fields, 'problems', 'conflicts', 'kinds']);
    expect(counts.required).to.deep.equal(fields);
    const { properties = {}, required } = counts.properties?.kinds?.items ?? {};
    expect(Object.keys(properties), 'of each kind').to.deep.equal(['kind', ...fields]);
    expect(required).to.deep.equal(['kind', ...fields]);
  });

  it('are, for conditions, told by the CRD', () => {
    const { description = '' } = statusSchema('conditions');
    for (const type of CONDITION_TYPES) expect(description).to.match(new RegExp(`\\b${type}\\b`));
  });

  for (const { name, jsonPath } of columns.filter((column) => !column.jsonPath.startsWith('.metadata.')))
    it(`are there for the column ${name}`, () => {
      const condition = /^\.status\.conditions\[\?\(@\.type=="(\w+)"\)\]\./.exec(jsonPath)?.[1];
      if (condition !== undefined) expect(CONDITION_TYPES).to.include(condition);
      else if (jsonPath.startsWith('.spec.')) specSchema(jsonPath.slice('.spec.'.length));
      else statusSchema(jsonPath.slice('.status.'.length));
    });
});
