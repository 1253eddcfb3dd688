import { expect } from 'chai';

import { DEFAULTS as OF_POLICY } from '../../../../core/policy/policy.generated.ts';
import { specSchema } from '../../../support/example-policy.ts';
import type { Schema } from '../../../support/example-policy.ts';
import { knownFields, withoutDefaults } from '../../../../core/policy/defaults.ts';

const DEFAULTS = {
  mode: 'Exec',
  names: ['a'],
  leaseEnd: { signal: 'SIGTERM', grace: '10s' },
  revoke: true,
  log: { level: 'Info' },
};

describe('the defaults of a section', () => {
  it('say which fields are known, and in which order', () => {
    const section = { log: { colour: 'red', level: 'Warn' }, umask: '0077', mode: 'Exec' };
    const known = { mode: 'Exec', log: { level: 'Warn' } };
    expect(JSON.stringify(knownFields(section, DEFAULTS))).to.equal(JSON.stringify(known));
  });

  const cases: readonly [string, object, object | undefined][] = [
    [
      'nothing of a section of defaults',
      { mode: 'Exec', names: ['a'], revoke: true, log: { level: 'Info' } },
      undefined,
    ],
    ['a value that is another', { mode: 'Daemon', revoke: true, log: { level: 'Info' } }, { mode: 'Daemon' }],
    ['one that is false', { mode: 'Exec', revoke: false }, { revoke: false }],
    ['one further below', { leaseEnd: { signal: 'SIGTERM', grace: '0s' } }, { leaseEnd: { grace: '0s' } }],
    ['nothing that is unknown', { umask: '0077', log: { colour: 'red' } }, undefined],
  ];
  for (const [what, section, left] of cases)
    it(`leave ${what}`, () => {
      expect(withoutDefaults(section, DEFAULTS)).to.deep.equal(left);
    });

  it('are left out only where that is meant', () => {
    const section = { mode: 'Exec', log: { level: 'Info' } };
    expect(withoutDefaults(section, DEFAULTS, (path) => path !== 'log.level')).to.deep.equal({
      log: { level: 'Info' },
    });
  });

  it('are there for every field of process, or it would not reach vault-env', () => {
    const fieldsOf = ({ properties = {} }: Schema): object =>
      Object.fromEntries(
        Object.entries(properties).map(([name, schema]) => [
          name,
          schema.properties ? fieldsOf(schema) : schema.default,
        ]),
      );
    expect(fieldsOf(specSchema('process'))).to.deep.equal(OF_POLICY.process);
  });
});
