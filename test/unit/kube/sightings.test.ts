import { expect } from 'chai';

import { Sightings } from '../../../kube/sightings.ts';

describe('Sightings', () => {
  it('counts for how long an object has not changed while others have', () => {
    const sightings = new Sightings();
    sightings.saw('a', '1', 0);
    for (let now = 0; now <= 50_000; now += 10_000) sightings.saw('me', String(now), now);
    expect(sightings.silentMs('a')).to.equal(50_000);
    expect(sightings.silentMs('me')).to.equal(0);
  });

  it('does not count what is seen again unchanged as a sign of life', () => {
    const sightings = new Sightings();
    for (let now = 0; now <= 50_000; now += 10_000) sightings.saw('a', '1', now);
    expect(sightings.silentMs('a')).to.equal(50_000);
  });

  it('holds it against nobody that nothing at all was heard for a while', () => {
    const sightings = new Sightings();
    sightings.saw('a', '1', 0);
    sightings.saw('me', '1', 0);
    sightings.saw('me', '2', 120_000);
    expect(sightings.silentMs('a')).to.equal(0);
    sightings.saw('me', '3', 130_000);
    expect(sightings.silentMs('a')).to.equal(10_000);
  });

  it('knows nothing of what is gone', () => {
    const sightings = new Sightings();
    sightings.saw('a', '1', 0);
    sightings.lost('a', 1);
    expect(sightings.silentMs('a')).to.equal(undefined);
  });
});
