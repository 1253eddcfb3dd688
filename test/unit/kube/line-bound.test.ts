import { expect } from 'chai';

import { LineBound } from '../../../kube/line-bound.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { testLog, type LogLine } from '../../support/test-log.ts';

describe('a bound for lines of the log', () => {
  let clock: ManualClock;
  let lines: LogLine[];
  let bound: LineBound;
  beforeEach(() => {
    clock = new ManualClock();
    const log = testLog();
    lines = log.lines;
    bound = new LineBound({ clock, logger: log.logger, what: 'decisions', ofNamespace: 2, ofAll: 5 });
  });
  const take = (namespace: string, times: number): number =>
    Array.from({ length: times }, () => bound.take(namespace)).filter(Boolean).length;
  const said = (): unknown[] => lines.map(({ message, fields }) => [message, fields]);

  it('gives each namespace so many a minute, and says once that more are left out', () => {
    expect([take('shop', 9), take('bank', 1)]).to.deep.equal([2, 1]);
    expect(said()).to.deep.equal([
      ['more decisions of this namespace are left out of the log for up to a minute', { namespace: 'shop' }],
    ]);
  });

  it('says afterwards how many there were, those of most lines first, and begins again', async () => {
    take('shop', 5);
    take('bank', 9);
    lines.length = 0;
    await clock.advance(59_999);
    expect(take('shop', 1)).to.equal(0);
    await clock.advance(1);
    expect(take('shop', 1)).to.equal(1);
    expect(said()).to.deep.equal([
      ['decisions were left out of the log', { leftOut: 11, namespaces: ['bank', 'shop'] }],
    ]);
    await clock.advance(600_000);
    expect(take('shop', 2)).to.equal(2);
    expect(lines).to.have.length(1);
  });

  it('gives all together so many, however many namespaces there are', async () => {
    for (let index = 0; index < 10_000; index++) bound.take(`team-${index}`);
    expect(said()).to.deep.equal([['more decisions are left out of the log for up to a minute', {}]]);
    await clock.advance(60_000);
    expect(take('shop', 1)).to.equal(1);
    expect(said().slice(1)).to.deep.equal([['decisions were left out of the log', { leftOut: 9_995, namespaces: [] }]]);
  });

  it('names a few of the namespaces of which some were left out', async () => {
    const { logger, lines: all } = testLog();
    const wide = new LineBound({ clock, logger, what: 'decisions', ofNamespace: 1, ofAll: 100 });
    for (let index = 0; index < 30; index++)
      for (const namespace of [`team-${index}`, `team-${index}`]) wide.take(namespace);
    await clock.advance(60_000);
    wide.take('shop');
    expect(all.at(-1)?.fields.leftOut).to.equal(30);
    expect(all.at(-1)?.fields.namespaces).to.have.length(10);
  });
});
