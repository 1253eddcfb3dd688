import { expect } from 'chai';

import { ApiClient } from '../../../kube/api-client.ts';
import type { KubernetesObject } from '../../../core/object.ts';
import type { Clock } from '../../../kube/clock.ts';
import { Informer } from '../../../kube/informer.ts';
import type { PooledKubeConfig } from '../../../kube/kube-config.ts';
import { ObjectStore } from '../../../kube/object-store.ts';
import type { Store } from '../../../kube/object-store.ts';
import { SLICE_MS } from '../../../kube/slices.ts';
import { ListWatchServer } from '../../support/list-watch-server.ts';
import { eventually, hurriedClock, ManualClock } from '../../support/manual-clock.ts';
import { testLog } from '../../support/test-log.ts';

describe('what an informer knows from a list', () => {
  let server: ListWatchServer;
  let kubeConfig: PooledKubeConfig;
  let informer: Informer;

  beforeEach(async () => {
    server = await ListWatchServer.start();
    kubeConfig = server.kubeConfig();
  });

  afterEach(async () => {
    await informer.stop();
    await kubeConfig.close();
    await server.goAway();
  });

  interface StartOptions {
    readonly clock: Clock;
    readonly pageSize?: number;
    readonly whenReady?: () => Promise<unknown>;
    readonly store?: Store<KubernetesObject>;
  }

  function start(options: StartOptions): void {
    informer = new Informer({
      client: new ApiClient({ kubeConfig, userAgent: 'test/1' }),
      resource: { group: 'example.dev', version: 'v1', plural: 'things' },
      random: () => 0.5,
      logger: testLog().logger,
      onChange: () => undefined,
      ...options,
    });
    informer.start();
  }

  it('is as of when the list began, because its pages show what was there then', async () => {
    for (let i = 0; i < 3; i += 1) server.put(`thing-${i}`);
    const clock = new ManualClock();
    const begunAt = clock.elapsed();
    start({ clock, pageSize: 1, whenReady: () => clock.advance(60_000) });
    await eventually(() => expect(informer.synced).to.equal(true));
    expect(informer.lastSeen).to.equal(begunAt);
  });

  it('is nothing newer than the list where the API server was restored from a backup', async () => {
    for (let i = 0; i < 5; i += 1) server.put('a');
    start({ clock: hurriedClock });
    await eventually(() => expect(server.openWatches).to.equal(1));
    expect(informer.newest).to.equal('105');
    server.restore();
    await eventually(() => expect(informer.version).to.equal('101'));
    expect(informer.newest).to.equal('101');
  });

  it('lets others have their turn while its store looks for what was deleted', async () => {
    server.put('a');
    let now = 0;
    const seen: string[] = [];
    const store = new ObjectStore();
    store.retain = function* () {
      for (const step of ['first', 'second']) {
        setImmediate(() => seen.push(`what waited at the ${step} step`));
        now += SLICE_MS;
        yield [];
        seen.push(step);
      }
    };
    start({ store, clock: { ...hurriedClock, elapsed: () => now } });
    await eventually(() => expect(server.openWatches).to.equal(1));
    expect(seen).to.deep.equal(['what waited at the first step', 'first', 'what waited at the second step', 'second']);
  });
});
