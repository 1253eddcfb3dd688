import { expect } from 'chai';

import { systemClock } from '../../../kube/clock.ts';
import { Group } from '../../../kube/group.ts';
import type { Part } from '../../../kube/group.ts';
import { run } from '../../../kube/run.ts';
import { eventually } from '../../support/manual-clock.ts';
import { testLog } from '../../support/test-log.ts';

/** Stands for Node's process: takes signals, and notes how it was ended. */
class ScriptedProcess {
  readonly exits: number[] = [];
  text = '';
  readonly #listeners = new Map<string, (() => void)[]>();
  readonly stderr = { write: (text: string) => (this.text += text) };

  on(signal: string, listener: () => void): void {
    this.#listeners.set(signal, [...(this.#listeners.get(signal) ?? []), listener]);
  }

  /** Notes it instead of ending. */
  exit(status: number): never {
    this.exits.push(status);
    return undefined as never;
  }

  send(signal: string): number {
    const listeners = this.#listeners.get(signal) ?? [];
    for (const listener of listeners) listener();
    return listeners.length;
  }
}

describe('running a group as a process', () => {
  let host: ScriptedProcess;
  const { logger } = testLog();
  const clock = systemClock;
  const start = (...stages: (readonly Part[])[]): Promise<void> =>
    run(new Group(stages, logger), { process: host, clock, logger });
  const never = (): Promise<void> => new Promise(() => undefined);

  beforeEach(() => (host = new ScriptedProcess()));

  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`stops at ${signal} and leaves the end to the process itself`, async () => {
      let stopped = false;
      await start([{ name: 'a', stop: () => void (stopped = true) }]);
      host.send(signal);
      await eventually(() => expect(stopped).to.equal(true));
      expect(host.exits).to.deep.equal([]);
    });
  }

  it('ends at once at the second signal', async () => {
    await start([{ name: 'a', stop: never }]);
    host.send('SIGINT');
    expect(host.exits).to.deep.equal([]);
    host.send('SIGTERM');
    expect(host.exits).to.deep.equal([1]);
  });

  it('handles signals before the first part starts', async () => {
    let heard = 0;
    await start([{ name: 'a', start: () => void (heard = host.send('SIGTERM')) }]);
    expect(heard).to.equal(1);
  });

  it('says on stderr which part failed and why, stops what runs, and ends with status 1', async () => {
    let stopped = false;
    await start(
      [{ name: 'a', stop: () => void (stopped = true) }],
      [{ name: 'b', start: () => Promise.reject(new Error('no room')) }],
    );
    expect(host.text).to.equal('the b could not be started: no room\n');
    expect([stopped, host.exits]).to.deep.equal([true, [1]]);
  });

  it('ends although a part does not stop', async () => {
    await start([{ name: 'a', stop: never }], [{ name: 'b', start: () => Promise.reject(new Error('no room')) }]);
    expect(host.exits).to.deep.equal([1]);
  });

  it('does not treat a part that fails because it is being stopped as a failure', async () => {
    await start([
      {
        name: 'a',
        start: () => {
          host.send('SIGTERM');
          return Promise.reject(new Error('stopped'));
        },
      },
    ]);
    expect([host.text, host.exits]).to.deep.equal(['', []]);
  });
});
