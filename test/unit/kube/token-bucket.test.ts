import { expect } from 'chai';

import { TokenBucket } from '../../../kube/token-bucket.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('TokenBucket', () => {
  let now: number;
  let bucket: TokenBucket;

  const takeAll = (): number => {
    let taken = 0;
    while (bucket.take()) taken += 1;
    return taken;
  };

  beforeEach(() => {
    now = 5_000;
    bucket = new TokenBucket({ clock: { elapsed: () => now }, burst: 3, everyMs: 200 });
  });

  it('lets a burst through at once', () => {
    expect(bucket.waitMs).to.equal(0);
    expect(takeAll()).to.equal(3);
    expect(bucket.take()).to.equal(false);
  });

  it('says how long it takes until there is another token', () => {
    takeAll();
    expect(bucket.waitMs).to.equal(200);
    now += 150;
    expect(bucket.waitMs).to.equal(50);
    now += 50;
    expect(bucket.waitMs).to.equal(0);
    expect(takeAll()).to.equal(1);
  });

  it('loses nothing of a step if it is asked too early', () => {
    takeAll();
    for (let ms = 0; ms < 1_000; ms += 30) {
      now += 30;
      expect(bucket.waitMs).to.be.within(0, 200);
    }
    expect(takeAll()).to.equal(3);
  });

  it('holds no more than a burst, however long nobody takes one', () => {
    now += 3_600_000;
    expect(takeAll()).to.equal(3);
  });

  it('does not care when somebody sets the clock', async () => {
    const clock = new ManualClock();
    bucket = new TokenBucket({ clock, burst: 3, everyMs: 200 });
    for (const ms of [-3_600_000, 7_200_000]) {
      takeAll();
      clock.set(ms);
      expect(bucket.waitMs).to.equal(200);
      await clock.advance(200);
      expect(takeAll()).to.equal(1);
    }
  });
});
