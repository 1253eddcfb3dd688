import { expect } from 'chai';
import { shownLine } from '../../../kube/log-line.ts';
import { hiddenIn, HOSTILE } from '../../support/hostile-text.ts';

const lineOf = (fields: object): string => `${JSON.stringify(fields)}\n`;
const fieldsOf = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

describe('a line of the log', () => {
  it('stays as it is if it is ordinary', () => {
    for (const fields of [{ level: 'info', msg: 'started' }, { error: 'say "please"' }, { name: 'Bücher', n: 1.5 }]) {
      expect(shownLine(lineOf(fields))).to.equal(lineOf(fields));
    }
  });

  it('shows what fields at any depth hold, also to who decodes them', () => {
    const fields = { error: HOSTILE, list: [HOSTILE, { [HOSTILE]: HOSTILE }], ok: true, none: null };
    const line = shownLine(lineOf(fields));
    expect(line.length).to.be.below(20_000);
    expect(line.split('\n')).to.have.length(2);
    const texts: string[] = [];
    JSON.parse(line, (name, value: unknown) => {
      texts.push(name, String(value));
      return value;
    });
    expect(texts.flatMap(hiddenIn)).to.deep.equal([]);
    expect(fieldsOf(line)).to.include({ ok: true, none: null });
    expect(fieldsOf(line).error).to.match(/^web vault-env: \ufffd\[31m\ufffd1m.*x…$/);
  });

  it('puts the stack of an error into one line', () => {
    const { error } = fieldsOf(shownLine(lineOf({ error: 'Error: gone\n    at read (file.ts:1:2)' })));
    expect(error).to.equal('Error: gone     at read (file.ts:1:2)');
  });

  it('counts what it leaves out of a list', () => {
    const { names } = fieldsOf(shownLine(lineOf({ names: Array.from({ length: 60_000 }, () => 'é') })));
    expect(names).to.have.length(51);
    expect((names as string[]).at(-1)).to.equal('… and 59950 more');
  });

  it('is JSON whatever it was', () => expect(fieldsOf(shownLine('\u001b[0m\n'))).to.have.keys('msg'));
});
