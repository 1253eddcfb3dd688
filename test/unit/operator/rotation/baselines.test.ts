import { expect } from 'chai';

import { wishOf } from '../../../../operator/rotation/baselines.ts';
import type { RestartWish } from '../../../../core/workload/restarts.ts';
import type { Use } from '../../../../core/workload/restarts.ts';
import { nameOfRead } from '../../../../core/workload/versions.ts';
import { annotation } from '../../../../core/injection/annotations.ts';

const DB = 'secret/data/shop/db';
const API = 'secret/data/shop/api';

/** The wish for a workload that reads `newest`'s paths, of which undefined is nothing known. */
function wish(versions: string | undefined, newest: Record<string, number | undefined>): RestartWish | undefined {
  const annotations = versions === undefined ? {} : { [annotation.versions]: versions };
  const reads = Object.keys(newest);
  return wishOf({ key: 'shop/Deployment/web', reads, startedWith: reads, annotations }, (path) => newest[path]);
}

describe('what a workload needs, given the versions that it was started for', () => {
  const cases: readonly {
    what: string;
    before: string | undefined;
    newest: Record<string, number | undefined>;
    expected: Partial<RestartWish> | undefined;
  }[] = [
    {
      what: 'a path that is seen for the first time becomes the baseline',
      before: undefined,
      newest: { [DB]: 4 },
      expected: { versions: { [DB]: 4 }, baselineOnly: true },
    },
    { what: 'the same version: nothing', before: `{"${DB}":4}`, newest: { [DB]: 4 }, expected: undefined },
    {
      what: 'a higher one: a restart',
      before: `{"${DB}":4}`,
      newest: { [DB]: 6 },
      expected: { versions: { [DB]: 6 }, baselineOnly: false },
    },
    { what: 'a lower one (made anew): nothing', before: `{"${DB}":4}`, newest: { [DB]: 1 }, expected: undefined },
    {
      what: 'nothing known (deleted, Vault away): nothing',
      before: `{"${DB}":4}`,
      newest: { [DB]: undefined },
      expected: undefined,
    },
    {
      what: 'nothing known, and no baseline: nothing',
      before: undefined,
      newest: { [DB]: undefined },
      expected: undefined,
    },
    {
      what: 'a restart remembers the other paths: those that are known now, and those that were',
      before: `{"${DB}":4,"${API}":9}`,
      newest: { [DB]: 5, [API]: undefined, 'secret/data/new': 1 },
      expected: { versions: { 'secret/data/new': 1, [API]: 9, [DB]: 5 }, baselineOnly: false },
    },
    {
      what: 'a path that is read no more is dropped with the next one that is written',
      before: `{"${API}":9}`,
      newest: { [DB]: 5 },
      expected: { versions: { [DB]: 5 }, baselineOnly: true },
    },
    { what: 'and not by itself', before: `{"${API}":9,"${DB}":5}`, newest: { [DB]: 5 }, expected: undefined },
    { what: 'no path at all: nothing', before: `{"${API}":9}`, newest: {}, expected: undefined },
    ...['no JSON', '[]', 'null', '"x"', `{"${DB}":"4"}`, `{"${DB}":-1}`, `{"${DB}":1.5}`, '{"__proto__":{}}'].map(
      (before) => ({
        what: `an annotation that somebody else wrote (${before}) counts for nothing`,
        before,
        newest: { [DB]: 4 },
        expected: { versions: { [DB]: 4 }, baselineOnly: true },
      }),
    ),
  ];
  for (const { what, before, newest, expected } of cases) {
    it(what, () => {
      const actual = wish(before, newest);
      expect(actual && { versions: actual.versions, baselineOnly: actual.baselineOnly }).to.deep.equal(expected);
    });
  }

  it('has a hash of 12 hex digits that is the same in whatever order paths are read', () => {
    const one = wish('{}', { [DB]: 1, [API]: 2 });
    expect(one?.hash).to.match(/^[0-9a-f]{12}$/);
    expect(wish('{}', { [API]: 2, [DB]: 1 })?.hash).to.equal(one?.hash);
    expect(wish('{}', { [API]: 2, [DB]: 2 })?.hash).not.to.equal(one?.hash);
  });

  describe('while a ConfigMap cannot be read', () => {
    const use = (versions: string, isPartial?: true): Use => ({
      key: 'shop/Deployment/web',
      reads: [DB],
      startedWith: [DB],
      annotations: { [annotation.versions]: versions },
      ...(isPartial && { isPartial }),
    });
    const HIDDEN = nameOfRead(API, true);
    const before = `{"${HIDDEN}":9,"${DB}":4}`;

    it('keeps what is known of the paths that it may name, so that their next version is noticed later', () => {
      const { versions = {} } = wishOf(use(before, true), () => 5) ?? {};
      expect(versions).to.deep.equal({ [DB]: 5, [HIDDEN]: 9 });
      const read: Use = {
        ...use(JSON.stringify(versions)),
        reads: [API, DB],
        hiddenReads: [API],
        startedWith: [API, DB],
      };
      const later = wishOf(read, (path) => (path === API ? 10 : 5));
      expect(later).to.include({ baselineOnly: false });
    });

    it('keeps a path once, whichever of its names it had', () => {
      const wished = wishOf(use(`{"${nameOfRead(DB, true)}":4}`, true), () => 5);
      expect(wished?.versions).to.deep.equal({ [DB]: 5 });
    });

    it('drops them when all has been read', () => {
      expect(wishOf(use(before), () => 5)?.versions).to.deep.equal({ [DB]: 5 });
    });
  });

  it('is done once its versions are written', () => {
    const { versions } = wish(`{"${DB}":4}`, { [DB]: 6 }) ?? {};
    expect(wish(JSON.stringify(versions), { [DB]: 6 })).to.equal(undefined);
  });
});
