import { expect } from 'chai';

import { ApiError } from '../../../kube/object-client.ts';
import { WorkQueue } from '../../../kube/work-queue.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import type { LogLine } from '../../support/test-log.ts';
import { testLog } from '../../support/test-log.ts';

describe('WorkQueue', () => {
  let clock: ManualClock;
  let lines: LogLine[];
  let processed: string[];
  let open: Map<string, () => void>;
  let fail: Map<string, unknown>;

  beforeEach(() => {
    clock = new ManualClock();
    processed = [];
    open = new Map();
    fail = new Map();
  });

  /** A queue whose keys take until finish(key); with `instant` they take no time. */
  function queueOf(options: { instant?: boolean; concurrency?: number } = {}): WorkQueue {
    const log = testLog();
    lines = log.lines;
    return new WorkQueue({
      process: async (key) => {
        processed.push(key);
        if (!options.instant) await new Promise<void>((resolve) => open.set(key, resolve));
        if (fail.has(key)) throw fail.get(key);
      },
      clock,
      random: () => 1,
      logger: log.logger,
      ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    });
  }

  async function finish(key: string): Promise<void> {
    open.get(key)?.();
    open.delete(key);
    await settle();
  }

  it('processes a key once, however often it was added while it waited', async () => {
    const queue = queueOf({ concurrency: 1 });
    queue.add('busy');
    queue.add('a');
    queue.add('a');
    queue.add('b');
    queue.add('a');
    expect(queue.depth).to.equal(2);
    await finish('busy');
    await finish('a');
    await finish('b');
    expect(processed).to.deep.equal(['busy', 'a', 'b']);
  });

  it('processes a key once more if it was added while it was being processed, never twice at a time', async () => {
    const queue = queueOf();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    await settle();
    expect(processed).to.deep.equal(['a']);
    await finish('a');
    expect(processed).to.deep.equal(['a', 'a']);
    await finish('a');
    expect(processed).to.deep.equal(['a', 'a']);
  });

  it('processes as many keys at a time as it may', async () => {
    const queue = queueOf({ concurrency: 2 });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(processed).to.deep.equal(['a', 'b']);
    await finish('a');
    expect(processed).to.deep.equal(['a', 'b', 'c']);
  });

  it('brings a failed key back after a delay that doubles up to a minute, without end', async () => {
    fail.set('a', new Error('boom'));
    const queue = queueOf({ instant: true });
    queue.add('a');
    await settle();
    const delays: unknown[] = [];
    for (let i = 0; i < 12; i += 1) {
      const [next = 0] = clock.sleeping;
      delays.push(next);
      await clock.advance(next);
    }
    expect(delays).to.deep.equal([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000]);
    expect(processed).to.have.length(13);
  });

  it('forgets failures after a success', async () => {
    fail.set('a', new Error('boom'));
    const queue = queueOf({ instant: true });
    queue.add('a');
    await clock.advance(200);
    fail.delete('a');
    await clock.advance(400);
    fail.set('a', new Error('boom'));
    queue.add('a');
    await settle();
    expect(clock.sleeping).to.deep.equal([200]);
  });

  it('waits as long as the server asks', async () => {
    fail.set('a', new ApiError(429, 'TooManyRequests', 'slow down', 9_000));
    queueOf({ instant: true }).add('a');
    await settle();
    expect(clock.sleeping).to.deep.equal([9_000]);
  });

  it('does not wait for the delay of a key that is added again', async () => {
    fail.set('a', new Error('boom'));
    const queue = queueOf({ instant: true });
    queue.add('a');
    await settle();
    fail.delete('a');
    queue.add('a');
    await settle();
    expect(processed).to.deep.equal(['a', 'a']);
    await clock.advance(3_600_000);
    expect(processed).to.deep.equal(['a', 'a']);
  });

  it('keeps the earlier of two times', async () => {
    const queue = queueOf({ instant: true });
    queue.addAfter('a', 5_000);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 9_000);
    await clock.advance(1_000);
    expect(processed).to.deep.equal(['a']);
    await clock.advance(60_000);
    expect(processed).to.deep.equal(['a']);
  });

  it('keeps to its delays when the clock is set back', async () => {
    const queue = queueOf({ instant: true });
    queue.addAfter('a', 5_000);
    clock.set(-3_600_000);
    queue.addAfter('a', 9_000);
    await clock.advance(4_999);
    expect(processed).to.deep.equal([]);
    await clock.advance(1);
    expect(processed).to.deep.equal(['a']);
  });

  it('takes the earlier of two times also when the clock was set forward', async () => {
    const queue = queueOf({ instant: true });
    queue.addAfter('a', 9_000);
    clock.set(3_600_000);
    queue.addAfter('a', 1_000);
    await clock.advance(1_000);
    expect(processed).to.deep.equal(['a']);
  });

  it('goes on with other keys while one fails', async () => {
    fail.set('a', new Error('boom'));
    const queue = queueOf({ instant: true, concurrency: 1 });
    queue.add('a');
    queue.add('b');
    await settle();
    expect(processed).to.deep.equal(['a', 'b']);
  });

  it('logs name, message and stack of a failure, no other properties of the error', async () => {
    fail.set('a', Object.assign(new Error('boom'), { config: { headers: { 'X-Vault-Token': 'hvs.secret' } } }));
    queueOf({ instant: true }).add('a');
    await settle();
    expect(JSON.stringify(lines)).to.contain('boom').and.not.to.contain('hvs.secret');
  });

  it('logs few lines while nothing works, however many keys it retries, and few when it does', async () => {
    const queue = queueOf({ instant: true });
    const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
    for (const key of keys) fail.set(key, new ApiError(0, 'Unreachable', 'connection refused'));
    for (const key of keys) queue.add(key);
    await clock.advance(600_000);
    expect(processed.length).to.be.above(2_000);
    expect(lines.length).to.be.within(10, 30);
    expect(lines[0]).to.deep.include({ level: 'warn', message: 'processing a key failed, will retry' });
    expect(lines[0]?.fields).to.include({ key: 'key 0', failures: 1, delayMs: 200 });
    lines.splice(0);
    fail.clear();
    await clock.advance(60_000);
    expect(lines.map(({ message }) => message)).to.include('processing a key works again');
    expect(lines.length).to.be.within(10, 30);
  });

  it('forgets a key that waits', async () => {
    const queue = queueOf({ instant: true });
    queue.addAfter('a', 1_000);
    queue.forget('a');
    await clock.advance(10_000);
    expect(processed).to.deep.equal([]);
  });

  it('lets others have their turn while it processes many keys that need no I/O', async () => {
    let [now, turns, done] = [0, 0, 0];
    const queue = new WorkQueue({
      process: () => {
        now += 1;
        done += 1;
        return Promise.resolve();
      },
      clock: { now: () => 0, elapsed: () => now, sleep: () => Promise.resolve() },
      random: () => 1,
      logger: testLog().logger,
    });
    const count = (): void => {
      turns += 1;
      if (done < 100) setImmediate(count);
    };
    setImmediate(count);
    for (let key = 0; key < 100; key += 1) queue.add(String(key));
    expect(done, 'before the first turn').to.be.at.most(4);
    await queue.whenIdle();
    expect(done).to.equal(100);
    expect(turns).to.be.at.least(20);
  });

  it('waits for many keys with one timer', async () => {
    const queue = queueOf({ instant: true });
    for (let key = 0; key < 1000; key += 1) queue.addAfter(String(key), 1_000 + (key % 10));
    queue.addAfter('soon', 500);
    expect(clock.sleeping).to.deep.equal([500]);
    await clock.advance(500);
    expect(processed).to.deep.equal(['soon']);
    await clock.advance(510);
    expect(processed).to.have.length(1001);
    expect(clock.sleeping).to.deep.equal([]);
  });

  describe('stop', () => {
    it('finishes what runs and what is ready, drops what waits, accepts nothing more', async () => {
      const queue = queueOf({ concurrency: 1 });
      queue.add('running');
      queue.add('ready');
      queue.addAfter('later', 1_000);
      let stopped = false;
      const stop = queue.stop().then(() => (stopped = true));
      queue.add('too late');
      await finish('running');
      expect(stopped).to.equal(false);
      await finish('ready');
      await stop;
      await clock.advance(10_000);
      expect(processed).to.deep.equal(['running', 'ready']);
    });

    it('does not retry failures', async () => {
      fail.set('a', new Error('boom'));
      const queue = queueOf();
      queue.add('a');
      const stop = queue.stop();
      await finish('a');
      await stop;
      expect(clock.sleeping).to.deep.equal([]);
    });

    it('gives up on what takes too long', async () => {
      const queue = queueOf({ concurrency: 1 });
      queue.add('for ever');
      queue.add('never');
      const stop = queue.stop(5_000);
      await clock.advance(5_000);
      await stop;
      await finish('for ever');
      expect(processed).to.deep.equal(['for ever']);
    });
  });
});
