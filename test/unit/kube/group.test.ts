import { expect } from 'chai';

import { Group, StartError } from '../../../kube/group.ts';
import type { Part } from '../../../kube/group.ts';
import { testLog } from '../../support/test-log.ts';

describe('a group of parts', () => {
  let done: string[];
  const log = testLog();

  beforeEach(() => (done = []));

  const part = (name: string, more: Partial<Part> = {}): Part => ({
    name,
    start: () => void done.push(`start ${name}`),
    stop: () => void done.push(`stop ${name}`),
    ...more,
  });
  const group = (...stages: (readonly Part[])[]): Group => new Group(stages, log.logger);
  const failure = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('starts one stage after the other and stops in the reverse order', async () => {
    const slow = part('slow', {
      start: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        done.push('start slow');
      },
    });
    const parts = group([part('a')], [slow, part('b')], [part('c')]);
    await parts.start();
    expect(done.splice(0)).to.deep.equal(['start a', 'start b', 'start slow', 'start c']);
    await parts.stop();
    expect(done).to.deep.equal(['stop c', 'stop slow', 'stop b', 'stop a']);
  });

  it('accepts parts that have nothing to start or to stop', async () => {
    const parts = group([{ name: 'a' }], [part('b')]);
    await parts.start();
    await parts.stop();
    expect(done).to.deep.equal(['start b', 'stop b']);
  });

  it('rejects with the name of the part that fails, starts nothing after it, and stops it with those that run', async () => {
    const cause = new Error('no room');
    const failing = part('b', { start: () => Promise.reject(cause) });
    const parts = group([part('a')], [failing], [part('c')]);
    const error = await failure(parts.start());
    expect(error).to.be.instanceOf(StartError).with.property('message', 'the b could not be started: no room');
    expect(error).to.have.property('cause', cause);
    await parts.stop();
    expect(done).to.deep.equal(['start a', 'stop b', 'stop a']);
  });

  it('rejects at once although another part of the stage never starts', async () => {
    const endless = part('endless', { start: () => new Promise(() => undefined) });
    const failing = part('b', {
      start: () => {
        throw new Error('thrown');
      },
    });
    expect(await failure(group([endless, failing]).start()))
      .to.have.property('message')
      .that.contains('thrown');
  });

  it('stops while a part still starts, and starts nothing more', async () => {
    const endless = part('endless', { start: () => new Promise(() => undefined) });
    const parts = group([part('a')], [endless], [part('c')]);
    const started = parts.start();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await parts.stop();
    await started;
    expect(done).to.deep.equal(['start a', 'stop endless', 'stop a']);
  });

  it('stops once, however often stop() is called', async () => {
    const parts = group([part('a')]);
    await parts.start();
    await Promise.all([parts.stop(), parts.stop()]);
    expect(done).to.deep.equal(['start a', 'stop a']);
  });

  it('goes on stopping after a part that cannot be stopped, which is logged', async () => {
    const bad = part('bad', { stop: () => Promise.reject(new Error('stuck')) });
    const parts = group([part('a')], [bad]);
    await parts.start();
    await parts.stop();
    expect(done).to.include('stop a');
    expect(log.lines.some(({ fields }) => fields.part === 'bad' && String(fields.error).includes('stuck'))).to.equal(
      true,
    );
  });
});
