import { expect } from 'chai';

import type { LeaderPart } from '../../../kube/while-leading.ts';
import { whileLeading } from '../../../kube/while-leading.ts';
import { testLog } from '../../support/test-log.ts';

describe('a part that runs while this replica leads', () => {
  let done: string[];
  let tell: () => void;
  const leader = {
    isLeader: false,
    onChange: (listener: (leading: boolean) => void): void => {
      tell = () => listener(leader.isLeader);
    },
  };
  const lead = (isLeader: boolean): void => {
    leader.isLeader = isLeader;
    tell();
  };
  const log = testLog();
  const part = (stop: LeaderPart['stop'] = () => Promise.resolve(void done.push('stop'))): LeaderPart => ({
    name: 'rotation',
    start: () => void done.push('start'),
    stop,
  });

  beforeEach(() => {
    done = [];
    leader.isLeader = false;
  });

  it('starts when it is elected, stops when it is no longer the leader, and starts again', async () => {
    const led = whileLeading(leader, part(), log.logger);
    await led.start?.();
    expect(done).to.deep.equal([]);
    lead(true);
    lead(false);
    lead(true);
    expect(done).to.deep.equal(['start', 'stop', 'start']);
  });

  it('starts at once in a replica that leads already', async () => {
    const led = whileLeading(leader, part(), log.logger);
    lead(true);
    expect(done).to.deep.equal([]);
    await led.start?.();
    expect(done).to.deep.equal(['start']);
  });

  it('does not start again once stopped, even if this replica is elected', async () => {
    const led = whileLeading(leader, part(), log.logger);
    await led.start?.();
    lead(true);
    await led.stop?.();
    lead(false);
    lead(true);
    expect(done).to.deep.equal(['start', 'stop']);
  });

  it('logs what keeps it from stopping when leadership is lost', async () => {
    const led = whileLeading(
      leader,
      part(() => Promise.reject(new Error('stuck'))),
      log.logger,
    );
    await led.start?.();
    lead(true);
    lead(false);
    await Promise.resolve();
    await Promise.resolve();
    const line = log.lines.at(-1);
    expect([line?.level, line?.fields.part]).to.deep.equal(['error', 'rotation']);
    expect(line?.fields.error).to.contain('stuck');
  });
});
