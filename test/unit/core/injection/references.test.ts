import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseValue } from '../../../../core/injection/references.ts';

interface Row {
  name: string;
  variable?: string;
  value: string;
  refers: boolean;
  error?: string;
  column?: number;
  references: unknown[];
}

const table = new URL('../../../../vault-env/testdata/references.json', import.meta.url);
const rows = JSON.parse(readFileSync(table, 'utf8')) as Row[];

describe('references', () => {
  describe('as vault-env reads them', () => {
    for (const { name, variable = '', value, refers, error, column, references } of rows) {
      it(name, () => {
        const parsed = parseValue(variable, value);
        expect(parsed.refers).to.equal(refers);
        expect(parsed.fault).to.deep.equal(error === undefined ? undefined : { message: error, column });
        expect(parsed.references).to.deep.equal(references);
      });
    }
  });

  it('counts the column of a fault in characters, not in bytes or UTF-16 units', () => {
    expect(parseValue('X', '🔑é ${vault:p/q}').fault?.column).to.equal(15);
  });

  it('tells a value that is one reference from text with references in it', () => {
    expect(parseValue('X', 'vault:a#b').isInline).to.equal(false);
    expect(parseValue('X', '${vault:a#b}').isInline).to.equal(true);
    expect(parseValue('X', '$${vault:a#b}').isInline).to.equal(true);
    expect(parseValue('X', '$vault:a#b').isInline).to.equal(true);
  });

  it('reads a very long malformed value in time that grows with its length only', () => {
    const value = `\${vault:p#${'${"a"'.repeat(100_000)}`;
    expect(parseValue('X', value).fault?.message).to.contain('no closing "}"');
    const nested = '${vault:a'.repeat(100_000);
    expect(parseValue('X', nested).refers).to.equal(true);
    expect(parseValue('X', '${vault:a}'.repeat(100_000)).refers).to.equal(false);
  });
});
