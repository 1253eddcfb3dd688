import { expect } from 'chai';

import { newerText, readVersions, startText, versionsText } from '../../../../core/workload/versions.ts';

const DB = 'secret/data/shop/db';
const API = 'secret/data/shop/api';

/** `secret/data/0` and so on, with this version. */
const many = (count: number, version: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`secret/data/${index}`, version]));

describe('versions of secrets', () => {
  it('are read as they were written, in the order of their paths', () => {
    const text = versionsText({ [DB]: 4, [API]: 9 });
    expect(text).to.equal(`{"${API}":9,"${DB}":4}`);
    expect([...readVersions(text)]).to.deep.equal([
      [API, 9],
      [DB, 4],
    ]);
  });

  it('are not read from what is no version of a path', () => {
    for (const text of [undefined, '', 'no JSON', '[]', 'null', '"x"', `{"${DB}":"4"}`, `{"${DB}":-1}`])
      expect(readVersions(text).size, String(text)).to.equal(0);
  });

  describe('that are newer than those that pods started with are told', () => {
    const cases: [string, Record<string, number>, Record<string, number>, string][] = [
      ['one', { [DB]: 4 }, { [DB]: 3 }, `restarting: ${DB} has version 4 (pods started with version 3)`],
      [
        'without those that are the same, older, or seen for the first time',
        { [DB]: 4, [API]: 9, 'secret/data/new': 1, 'secret/data/old': 1 },
        { [DB]: 3, [API]: 9, 'secret/data/old': 2 },
        `restarting: ${DB} has version 4 (pods started with version 3)`,
      ],
      [
        'three of them',
        many(3, 2),
        many(3, 1),
        'restarting: secret/data/0 has version 2 (pods started with version 1), ' +
          'secret/data/1 has version 2 (pods started with version 1), ' +
          'secret/data/2 has version 2 (pods started with version 1)',
      ],
      [
        'and how many more',
        many(5, 2),
        many(5, 1),
        'restarting: secret/data/0 has version 2 (pods started with version 1), ' +
          'secret/data/1 has version 2 (pods started with version 1), ' +
          'secret/data/2 has version 2 (pods started with version 1) and 2 more',
      ],
      ['none', { [DB]: 4 }, {}, `restarting: pods should start with version 4 of ${DB}`],
    ];
    for (const [what, versions, before, expected] of cases) {
      it(what, () => expect(newerText(versions, versionsText(before))).to.equal(expected));
    }
  });

  it('that pods should start with are told where nothing says what they started with', () => {
    expect(startText(versionsText({ [DB]: 4, [API]: 9 }))).to.equal(
      `restarting: pods should start with version 9 of ${API}, version 4 of ${DB}`,
    );
    expect(startText(versionsText(many(5, 1)))).to.match(/, version 1 of secret\/data\/2 and 2 more$/);
    for (const text of [undefined, 'no JSON', '{}'])
      expect(startText(text)).to.equal('restarting, as vaultinjection.dev/restart asks');
  });

  it('fit into an Event, however long paths are and high versions', () => {
    const long = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name.repeat(5_000), Number.MAX_SAFE_INTEGER]));
    const before = Object.fromEntries(Object.keys(long).map((path) => [path, Number.MAX_SAFE_INTEGER - 1]));
    const text = newerText(long, versionsText(before));
    expect(text).to.match(/^restarting: a{100}… has version 9007199254740991 \(/);
    expect(text.length).to.be.below(800);
    expect(startText(versionsText(long)).length).to.be.below(800);
  });
});
