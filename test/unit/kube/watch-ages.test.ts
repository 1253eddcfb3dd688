import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import { Informer } from '../../../kube/informer.ts';
import type { WatchEvent } from '../../../kube/object-client.ts';
import { WatchAges } from '../../../kube/watch-ages.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { testLog } from '../../support/test-log.ts';

describe('the ages of watches', () => {
  it('are those of the oldest copy of each resource, and of no watch that has ended', () => {
    const ages = new WatchAges();
    const ends = [10, 30, 20].map((ms) => ages.began('leases', () => ms));
    ages.began('secrets', () => 5);
    expect([...ages.oldest()]).to.deep.equal([
      ['leases', 30],
      ['secrets', 5],
    ]);
    ends[1]?.();
    expect(ages.oldest().get('leases')).to.equal(20);
    for (const end of ends) end();
    expect([...ages.oldest()]).to.deep.equal([['secrets', 5]]);
    ages.began('leases', () => 7);
    ends[0]?.();
    expect(ages.oldest().get('leases'), 'ending twice ends nobody else').to.equal(7);
  });

  describe('of an informer', () => {
    const clock = new ManualClock();
    const ages = new WatchAges();
    let isListed = Promise.withResolvers<undefined>();
    const informer = new Informer({
      client: {
        list: async () => {
          await isListed.promise;
          return { metadata: { resourceVersion: '1' }, items: [] };
        },
        // silent until it is aborted
        async *watch(_resource, { signal }): AsyncGenerator<WatchEvent<never>> {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          yield* [];
        },
      },
      resource: { group: 'apps', version: 'v1', plural: 'deployments' },
      clock,
      random: () => 0.5,
      logger: testLog().logger,
      watchAges: ages,
      onChange: () => undefined,
    });
    const age = (): number | undefined => ages.oldest().get('deployments');
    const isSynced = async (): Promise<void> => {
      for (let turn = 0; turn < 200 && !informer.synced; turn++) await sleep(1);
      expect(informer.synced).to.equal(true);
    };

    it('is unknown before it starts, counts from its start, and from what the API server has confirmed', async () => {
      expect(age()).to.equal(undefined);
      informer.start();
      informer.start();
      await clock.advance(7_000);
      expect(age(), 'the first list has not come').to.equal(7_000);
      isListed.resolve(undefined);
      await isSynced();
      // the list shows what was there when it was asked for
      await clock.advance(1_000);
      expect(age()).to.equal(8_000);
    });

    it('is unknown once it has stopped, and begins again with it', async () => {
      const stopping = informer.stop();
      expect(age()).to.equal(undefined);
      await stopping;
      await clock.advance(60_000);
      isListed = Promise.withResolvers();
      informer.start();
      expect(age(), 'nobody has relied on it meanwhile').to.equal(0);
      await clock.advance(2_000);
      expect(age()).to.equal(2_000);
      isListed.resolve(undefined);
      await informer.stop();
    });
  });
});
