import { expect } from 'chai';

import { ApiError } from '../../../kube/object-client.ts';
import { OutageLog } from '../../../kube/outage-log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import type { LogLine } from '../../support/test-log.ts';
import { testLog } from '../../support/test-log.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const AWAY = new ApiError(0, 'Unreachable', 'GET /api: connection refused');
const BUSY = new ApiError(503, 'ServiceUnavailable', 'GET /api: 503 ServiceUnavailable');
const NOT_HERE = new ApiError(404, 'NotFound', 'POST /api: 404 NotFound');

describe('the log of outages', () => {
  let clock: ManualClock;
  let lines: LogLine[];
  let outages: OutageLog;

  beforeEach(() => {
    clock = new ManualClock();
    const log = testLog();
    lines = log.lines;
    const explain = (error: unknown): string | undefined => (error === NOT_HERE ? 'create the namespace' : undefined);
    outages = new OutageLog({ clock, logger: log.logger, explain });
  });

  /** The lines since the last call: level, message, and failures. */
  const said = (): string[] =>
    lines.splice(0).map(({ level, message, fields }) => `${level} ${message} ${String(fields.failures)}`);

  /** Fails every two seconds. */
  async function failing(ms: number, error: unknown = AWAY, subject = ''): Promise<void> {
    for (let elapsed = 0; elapsed < ms; elapsed += 2 * SECOND) {
      outages.failed('watching', subject, error);
      await clock.advance(2 * SECOND);
    }
  }

  it('tells the first failure at once, with its error and what belongs to it', () => {
    outages.failed('watching', 'pods', AWAY, { delayMs: 500 });
    expect(lines).to.deep.equal([
      {
        level: 'warn',
        message: 'watching failed, will retry',
        fields: { delayMs: 500, failures: 1, error: 'GET /api: connection refused' },
      },
    ]);
  });

  it('tells of an hour of retries every five minutes, with the count', async () => {
    await failing(60 * MINUTE);
    expect(lines.map(({ fields }) => [fields.failures, fields.forSeconds ?? 0])).to.deep.equal(
      Array.from({ length: 12 }, (_, index) => [index * 150 + 1, index * 300]),
    );
  });

  it('tells when it works again, and how long that took', async () => {
    await failing(10 * SECOND, AWAY, 'pods');
    outages.worked('watching', 'pods');
    outages.worked('watching', 'pods');
    expect(lines.slice(1)).to.deep.equal([
      { level: 'info', message: 'watching works again', fields: { subject: 'pods', failures: 5, afterSeconds: 10 } },
    ]);
  });

  it('says nothing of what works', () => {
    outages.worked('watching', 'pods');
    expect(lines).to.deep.equal([]);
  });

  it('tells another error at once, but not within a minute of the last line', async () => {
    await failing(2 * MINUTE);
    await failing(2 * SECOND, BUSY);
    expect(said()).to.deep.equal(['warn watching failed, will retry 1', 'warn watching failed, will retry 61']);
    await failing(20 * SECOND, new ApiError(500, 'InternalError', 'no'));
    expect(said()).to.deep.equal([]);
    await failing(50 * SECOND, new ApiError(500, 'InternalError', 'no'));
    expect(said()).to.have.length(1);
  });

  it('tells of two errors that alternate no more than of one', async () => {
    for (let round = 0; round < 150; round += 1) {
      await failing(2 * SECOND, AWAY);
      await failing(2 * SECOND, BUSY);
    }
    expect(said()).to.have.length(3);
  });

  it('tells of what fails and works in turns twice a minute at most', async () => {
    for (let round = 0; round < 150; round += 1) {
      await failing(2 * SECOND);
      outages.worked('watching', '');
      await clock.advance(2 * SECOND);
    }
    expect(said().length).to.be.within(15, 20);
  });

  it('tells a new outage at once', async () => {
    await failing(2 * SECOND);
    outages.worked('watching', '');
    await clock.advance(2 * MINUTE);
    await failing(2 * SECOND);
    outages.worked('watching', '');
    const outage = ['warn watching failed, will retry 1', 'info watching works again 1'];
    expect(said()).to.deep.equal([...outage, ...outage]);
  });

  it('keeps subjects apart, and what is done with them', async () => {
    outages.failed('watching', 'pods', AWAY);
    outages.failed('watching', 'nodes', AWAY);
    outages.failed('listing', 'pods', AWAY);
    outages.worked('watching', 'nodes');
    expect(said()).to.have.length(4);
    await clock.advance(5 * MINUTE);
    outages.failed('watching', 'pods', AWAY);
    expect(said()).to.deep.equal(['warn watching failed, will retry 2']);
  });

  it('tells of a thousand subjects that fail alike ten times, then how many it did not tell', async () => {
    for (let index = 0; index < 1_000; index += 1) outages.failed('processing', `object ${index}`, AWAY);
    expect(said()).to.have.length(10);
    await clock.advance(5 * MINUTE);
    outages.failed('processing', 'object 0', AWAY);
    expect(lines[0]?.fields.failuresOfOthers).to.equal(990);
    lines.splice(0);
    for (let index = 0; index < 1_000; index += 1) outages.worked('processing', `object ${index}`);
    expect(said(), 'only of those that were told').to.have.length(10);
  });

  it('tells errors of the program apart by where they were thrown', async () => {
    const one = (): Error => new TypeError('a of undefined');
    await failing(2 * SECOND, one());
    await clock.advance(2 * MINUTE);
    await failing(2 * SECOND, new TypeError('b of undefined'));
    expect(said()).to.have.length(2);
  });

  it('forgets what does not exist any more', async () => {
    await failing(2 * SECOND, AWAY, 'pods');
    outages.forget('watching', 'pods');
    outages.worked('watching', 'pods');
    expect(said()).to.have.length(1);
  });

  it('does not follow the time of day', async () => {
    await failing(2 * SECOND);
    clock.set(-60 * MINUTE);
    await failing(6 * MINUTE);
    expect(said()).to.have.length(2);
  });

  describe('with an explanation', () => {
    it('tells what to do, once for all parts that it concerns', () => {
      outages.failed('keeping the certificates', '', NOT_HERE);
      outages.failed('electing a leader', '', NOT_HERE);
      expect(lines).to.deep.equal([
        { level: 'error', message: 'create the namespace', fields: { failures: 1, error: NOT_HERE.message } },
      ]);
    });

    it('tells that it works when it does for all of them', async () => {
      outages.failed('keeping the certificates', '', NOT_HERE);
      outages.failed('electing a leader', '', NOT_HERE);
      await clock.advance(3 * SECOND);
      outages.worked('electing a leader', '');
      expect(said()).to.have.length(1);
      outages.worked('keeping the certificates', '');
      expect(said()).to.deep.equal(['info keeping the certificates works again 2']);
    });

    it('moves on with a subject that fails for another reason', async () => {
      outages.failed('electing a leader', '', NOT_HERE);
      outages.failed('electing a leader', '', AWAY);
      outages.worked('electing a leader', '');
      expect(said()).to.deep.equal([
        'error create the namespace 1',
        'warn electing a leader failed, will retry 1',
        'info electing a leader works again 1',
      ]);
      await clock.advance(MINUTE);
      outages.failed('electing a leader', '', NOT_HERE);
      expect(said()).to.deep.equal(['error create the namespace 1']);
    });
  });
});
