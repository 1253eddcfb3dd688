import { expect } from 'chai';

import { atMost, unlessAborted } from '../../../kube/clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('atMost', () => {
  it('resolves with what is done in time, and leaves no sleeper behind', async () => {
    const clock = new ManualClock();
    expect(await atMost(clock, 1_000, Promise.resolve('done'))).to.equal('done');
    expect(clock.sleeping).to.deep.equal([]);
  });

  it('resolves with nothing when time is up', async () => {
    const clock = new ManualClock();
    const late = atMost(clock, 1_000, Promise.withResolvers<string>().promise);
    await clock.advance(1_000);
    expect(await late).to.equal(undefined);
  });

  it('rejects with what fails in time', async () => {
    const clock = new ManualClock();
    const failure = await atMost(clock, 1_000, Promise.reject(new Error('no'))).catch((error: unknown) => error);
    expect(failure).to.have.property('message', 'no');
    expect(clock.sleeping).to.deep.equal([]);
  });
});

describe('unlessAborted', () => {
  const stopped = (): Error => new Error('stopped');
  const messageOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.catch((error: unknown) => (error as Error).message);

  it('is the promise as long as nothing aborts', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), signal, stopped)).to.equal(1);
    expect(await messageOf(unlessAborted(Promise.reject(new Error('no')), signal, stopped))).to.equal('no');
  });

  it('rejects at once when its signal aborts', async () => {
    const over = new AbortController();
    const failure = messageOf(unlessAborted(Promise.withResolvers().promise, over.signal, stopped));
    over.abort();
    expect(await failure).to.equal('stopped');
  });

  it('rejects if its signal has aborted before', async () => {
    const never = Promise.withResolvers().promise;
    expect(await messageOf(unlessAborted(never, AbortSignal.abort(), stopped))).to.equal('stopped');
  });
});
