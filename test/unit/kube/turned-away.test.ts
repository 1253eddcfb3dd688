import { expect } from 'chai';

import { TurnedAwayLog } from '../../../kube/turned-away.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { testLog } from '../../support/test-log.ts';

describe('clients that are turned away', () => {
  it('are all counted, and make at most one line a minute with what has been since the last', async () => {
    const clock = new ManualClock();
    const { logger, lines } = testLog();
    const counted: string[] = [];
    const log = new TurnedAwayLog({ server: 'webhook', clock, logger, count: (reason) => counted.push(reason) });
    log.note('path', '10.0.0.1');
    for (let turn = 0; turn < 1000; turn++) log.note('path', '10.0.0.2');
    log.note('rate', '10.0.0.3');
    expect(counted).to.have.length(1002);
    expect(lines.map(({ fields }) => fields)).to.deep.equal([
      { server: 'webhook', turnedAway: { path: 1 }, lastFrom: '10.0.0.1' },
    ]);
    await clock.advance(60_000);
    log.note('path', '10.0.0.4');
    expect(lines.slice(1).map(({ fields }) => fields)).to.deep.equal([
      { server: 'webhook', turnedAway: { path: 1001, rate: 1 }, lastFrom: '10.0.0.4' },
    ]);
  });
});
