import { expect } from 'chai';
import { ApiError } from '../../../kube/object-client.ts';
import { PassLoop } from '../../../kube/pass-loop.ts';
import type { LogLine } from '../../support/test-log.ts';
import { testLog } from '../../support/test-log.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

describe('a loop of passes', () => {
  const clock = new ManualClock();
  let times: number[];
  let next: () => Promise<number | undefined>;
  let loop: PassLoop;
  let began: number;
  let lines: LogLine[];

  beforeEach(() => {
    times = [];
    next = () => Promise.resolve(undefined);
    began = clock.now();
    const log = testLog();
    lines = log.lines;
    loop = new PassLoop({
      clock,
      random: () => 1,
      logger: log.logger,
      what: 'looking',
      pass: () => {
        times.push(clock.now() - began);
        return next();
      },
      everyMs: 60_000,
      gapMs: 100,
    });
    loop.start();
  });
  afterEach(() => loop.stop());

  it('passes at once, then every minute', async () => {
    await clock.advance(120_300);
    expect(times).to.deep.equal([0, 60_100, 120_200]);
  });

  it('passes when woken, once for a burst', async () => {
    await clock.advance(1000);
    for (let count = 0; count < 10; count++) loop.wake();
    await clock.advance(1000);
    expect(times).to.deep.equal([0, 1000]);
  });

  it('rests for as long as the API server asks it to, even when woken', async () => {
    next = () => Promise.reject(new ApiError(429, 'TooManyRequests', 'later', 5_000));
    await clock.advance(1000);
    next = () => Promise.resolve(undefined);
    loop.wake();
    await clock.advance(3900);
    expect(times).to.deep.equal([0]);
    await clock.advance(200);
    expect(times).to.deep.equal([0, 5_000]);
  });

  it('keeps its interval, but forgets no call', async () => {
    await settle();
    loop.wake();
    await clock.advance(50);
    loop.wake();
    await clock.advance(1000);
    expect(times).to.deep.equal([0, 100]);
  });

  it('passes again for a call that came during a pass', async () => {
    await clock.advance(1000);
    const slow = Promise.withResolvers<undefined>();
    next = () => slow.promise;
    loop.wake();
    await clock.advance(500);
    loop.wake();
    await clock.advance(500);
    next = () => Promise.resolve(undefined);
    slow.resolve(undefined);
    await clock.advance(500);
    expect(times).to.deep.equal([0, 1000, 2100]);
  });

  it('passes when the pass asked for it', async () => {
    next = () => Promise.resolve(times.length === 1 ? 5000 : undefined);
    await clock.advance(10_000);
    expect(times).to.deep.equal([0, 5100]);
  });

  it('retries after a failure, later each time, and at once when woken', async () => {
    next = () => Promise.reject(new Error('no'));
    await clock.advance(4000);
    expect(times).to.deep.equal([0, 600, 1700, 3800]);
    loop.wake();
    await clock.advance(1);
    expect(times.at(-1)).to.equal(4000);
  });

  it('logs few lines while nothing works, however often it retries, and one when it does', async () => {
    next = () => Promise.reject(new ApiError(0, 'Unreachable', 'connection refused'));
    await clock.advance(600_000);
    expect(times.length).to.be.above(20);
    expect(lines).to.have.length(2);
    next = () => Promise.resolve(undefined);
    await clock.advance(60_000);
    expect(lines.map(({ level, message }) => `${level} ${message}`)).to.deep.equal([
      'warn looking failed, will retry',
      'warn looking failed, will retry',
      'info looking works again',
    ]);
  });

  it('passes no more once stopped', async () => {
    await clock.advance(10);
    await loop.stop();
    loop.wake();
    await clock.advance(200_000);
    expect(times).to.deep.equal([0]);
  });
});
