import { expect } from 'chai';

import { TokenBucket } from '../../../kube/token-bucket.ts';

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
    bucket = new TokenBucket({ clock: { now: () => now }, burst: 3, everyMs: 200 });
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

  it('goes on from there when the clock is set back', () => {
    takeAll();
    now -= 3_600_000;
    expect(bucket.waitMs).to.equal(200);
    now += 200;
    expect(takeAll()).to.equal(1);
  });
});
