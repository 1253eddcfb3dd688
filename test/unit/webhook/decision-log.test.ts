import { expect } from 'chai';

import { DecisionLog, type LoggedReview } from '../../../webhook/decision-log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { testLog, type LogLine } from '../../support/test-log.ts';

const REVIEW: LoggedReview = {
  uid: 'u-1',
  namespace: 'shop',
  kind: 'Deployment',
  name: 'web',
  operation: 'CREATE',
  dryRun: false,
  outcome: 'Injected',
  isChanged: true,
  policy: 'main',
  reason: undefined,
  wrapped: ['app'],
  ms: 0.12345,
};

describe('the log of decisions', () => {
  function noted(...reviews: readonly Partial<LoggedReview>[]): readonly LogLine[] {
    const { logger, lines } = testLog();
    const log = new DecisionLog({ clock: new ManualClock(), logger });
    for (const review of reviews) log.note({ ...REVIEW, ...review });
    return lines;
  }

  it('tells of an injection: what, where, by which policy, and in which containers', () => {
    expect(noted({})).to.deep.equal([
      {
        level: 'info',
        message: 'injected',
        fields: {
          uid: 'u-1',
          namespace: 'shop',
          kind: 'Deployment',
          name: 'web',
          operation: 'CREATE',
          outcome: 'Injected',
          policy: 'main',
          containers: ['app'],
          ms: 0.123,
        },
      },
    ]);
  });

  it('tells of a restore and of a denial, with its reason', () => {
    const [restored, denied] = noted(
      { outcome: 'Restored', operation: 'UPDATE', policy: undefined, wrapped: [] },
      { outcome: 'Denied', reason: 'PathNotAllowed', wrapped: [] },
    );
    expect(restored).to.include({ level: 'info', message: 'restored' });
    expect(restored?.fields).to.include({ operation: 'UPDATE' }).and.not.have.any.keys('containers', 'reason');
    expect(denied).to.include({ level: 'info', message: 'denied' });
    expect(denied?.fields).to.include({ reason: 'PathNotAllowed', policy: 'main' });
  });

  it('tells of the restore of what is excluded now', () => {
    expect(noted({ outcome: 'Excluded', wrapped: [] })[0]).to.include({ level: 'info', message: 'restored' });
  });

  for (const outcome of ['Unchanged', 'NoPolicy', 'Excluded', 'Skipped'] as const) {
    it(`tells of what changes nothing (${outcome}) only at debug`, () => {
      expect(noted({ outcome, isChanged: false }).map(({ level, message }) => [level, message])).to.deep.equal([
        ['debug', 'reviewed'],
      ]);
    });
  }

  it('tells of a dry run only at debug, and says that it is one', () => {
    for (const outcome of ['Injected', 'Restored', 'Denied'] as const) {
      const [line, ...more] = noted({ outcome, dryRun: true });
      expect(more).to.deep.equal([]);
      expect(line).to.include({ level: 'debug', message: 'reviewed' });
      expect(line?.fields).to.include({ dryRun: true, outcome });
    }
  });

  it('shows few and short names of containers, which nobody has validated yet', () => {
    const wrapped = ['x'.repeat(1_000_000), ...Array.from({ length: 40 }, (_, index) => `c${index}`)];
    const containers = noted({ wrapped })[0]?.fields.containers as string[];
    expect(containers).to.have.length(11);
    expect(containers[0]).to.have.length(63);
    expect(containers.at(-1)).to.equal('… and 31 more');
  });

  it('is not filled by a namespace that applies in a loop, nor keeps that from others', () => {
    const flood = Array.from({ length: 5_000 }, () => ({}));
    const lines = noted(...flood, { namespace: 'bank' }).filter(({ level }) => level !== 'debug');
    expect(lines.filter(({ message }) => message === 'injected').map(({ fields }) => fields.namespace)).to.deep.equal([
      ...Array.from({ length: 20 }, () => 'shop'),
      'bank',
    ]);
    expect(lines).to.have.length(22);
  });
});
