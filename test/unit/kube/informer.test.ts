import { expect } from 'chai';

import type { Clock } from '../../../kube/clock.ts';
import { ApiClient } from '../../../kube/api-client.ts';
import { Informer } from '../../../kube/informer.ts';
import type { PooledKubeConfig } from '../../../kube/kube-config.ts';
import type { KubernetesObject } from '../../../core/object.ts';
import type { Store } from '../../../kube/object-store.ts';
import { ListWatchServer } from '../../support/list-watch-server.ts';
import { eventually, hurriedClock, ManualClock } from '../../support/manual-clock.ts';
import type { LogLine } from '../../support/test-log.ts';
import { testLog } from '../../support/test-log.ts';

const THINGS = { group: 'example.dev', version: 'v1', plural: 'things' };

interface SetupOptions {
  readonly onChange?: (key: string) => void;
  readonly watchIdleMs?: number;
  readonly clock?: Clock;
  readonly relistMs?: number;
  /** The versions of all pages but the first are gone when they are asked for. */
  readonly expirePages?: boolean;
  readonly keep?: (object: KubernetesObject) => KubernetesObject;
  readonly pageSize?: number;
  readonly store?: Store<KubernetesObject>;
  readonly whenReady?: () => Promise<unknown> | undefined;
  readonly watchSeconds?: number;
}

interface Setup {
  readonly informer: Informer;
  readonly changes: string[];
  readonly lines: LogLine[];
  readonly synced: () => number;
  /** Milliseconds of the pauses after errors. */
  readonly delays: number[];
}

describe('Informer through ApiClient, on a list-watch fake', () => {
  let server: ListWatchServer;
  let kubeConfig: PooledKubeConfig;
  let informer: Informer | undefined;

  beforeEach(async () => {
    server = await ListWatchServer.start();
    kubeConfig = server.kubeConfig();
  });

  afterEach(async () => {
    await informer?.stop();
    await kubeConfig.close();
    await server.goAway().catch(() => undefined);
  });

  function setUp(options: SetupOptions = {}): Setup {
    const { logger, lines } = testLog();
    const changes: string[] = [];
    const delays: number[] = [];
    let synced = 0;
    const { watchIdleMs } = options;
    const client = new ApiClient({
      kubeConfig,
      userAgent: 'test/1',
      ...(watchIdleMs === undefined ? {} : { watchIdleMs }),
    });
    const made = new Informer({
      client: {
        watch: (resource, watch) => client.watch(resource, watch),
        list: (resource, list) => {
          if (options.expirePages && list?.continue !== undefined) server.failNext(410);
          return client.list(resource, list);
        },
      },
      resource: THINGS,
      clock: options.clock ?? hurriedClock,
      random: () => 0.5,
      logger,
      ...(options.relistMs === undefined ? {} : { relistMs: options.relistMs }),
      ...(options.keep === undefined ? {} : { keep: options.keep }),
      ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(options.whenReady === undefined ? {} : { whenReady: options.whenReady }),
      ...(options.watchSeconds === undefined ? {} : { watchSeconds: options.watchSeconds }),
      observer: { onRetry: (_, delayMs) => void delays.push(delayMs) },
      onChange: (key, object, previous) => {
        options.onChange?.(key);
        changes.push(`${object === undefined ? 'deleted' : previous === undefined ? 'added' : 'modified'} ${key}`);
      },
      onSynced: () => (synced += 1),
    });
    informer = made;
    made.start();
    return { informer: made, changes, lines, synced: () => synced, delays };
  }

  const versionOf = (object: KubernetesObject | undefined): string | undefined => object?.metadata.resourceVersion;

  it('lists, then watches from the version of the list, with bookmarks and an end', async () => {
    server.put('a');
    const { informer, changes, synced } = setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.put('b');
    server.put('a', { spec: { size: 2 } });
    server.remove('b');
    await eventually(() =>
      expect(changes).to.deep.equal(['added shop/a', 'added shop/b', 'modified shop/a', 'deleted shop/b']),
    );
    expect(informer.get('shop/a')?.spec).to.deep.equal({ size: 2 });
    expect(informer.list()).to.have.length(1);
    expect(synced()).to.equal(1);
    const watch = server.watches[0]?.searchParams;
    expect(watch?.get('resourceVersion')).to.equal('101');
    expect(watch?.get('allowWatchBookmarks')).to.equal('true');
    expect(Number(watch?.get('timeoutSeconds'))).to.be.within(60, 120);
  });

  it('reads long lists in pages of 500', async () => {
    for (let i = 0; i < 1201; i += 1) server.put(`thing-${i}`);
    const { informer } = setUp();
    await eventually(() => expect(informer.synced).to.equal(true));
    expect(informer.list()).to.have.length(1201);
    expect(server.lists.map((url) => url.searchParams.get('limit'))).to.deep.equal(['500', '500', '500']);
  });

  it('lists in one piece when the pages expire in the middle of the list', async () => {
    for (let i = 0; i < 600; i += 1) server.put(`thing-${i}`);
    const { informer } = setUp({ expirePages: true });
    await eventually(() => expect(informer.list()).to.have.length(600));
    const limits = server.lists.map((url) => url.searchParams.get('limit'));
    expect(limits).to.deep.equal(['500', '500', null]);
  });

  it('goes on from the last bookmark after a connection reset, without a new list', async () => {
    const { changes } = setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.bookmark();
    await eventually(() => expect(informer?.lastSeen).to.be.a('number'));
    server.put('a');
    await eventually(() => expect(changes).to.deep.equal(['added shop/a']));
    server.bookmark();
    await new Promise((resolve) => setTimeout(resolve, 50));
    server.reset();
    await eventually(() => expect(server.watches).to.have.length(2));
    expect(server.watches[1]?.searchParams.get('resourceVersion')).to.equal('103');
    expect(server.lists).to.have.length(1);
    server.put('b');
    await eventually(() => expect(changes).to.deep.equal(['added shop/a', 'added shop/b']));
  });

  it('survives five 500 responses to the first list and is not synced before it succeeds', async () => {
    server.put('a');
    server.failNext(500, 5);
    const { informer, changes, lines, synced, delays } = setUp();
    await eventually(() => expect(changes).to.deep.equal(['added shop/a']));
    expect(synced()).to.equal(1);
    expect(informer.synced).to.equal(true);
    expect(delays).to.deep.equal([375, 750, 1500, 3000, 6000]);
    expect(lines.map(({ level, message }) => `${level} ${message}`)).to.deep.equal([
      'warn watching things failed, will retry',
      'info watching things works again',
    ]);
  });

  it('honours Retry-After', async () => {
    server.failNext(429, 1, { 'retry-after': '7' });
    const { informer, lines } = setUp();
    await eventually(() => expect(informer.synced).to.equal(true));
    expect(lines.find(({ level }) => level === 'warn')?.fields.delayMs).to.equal(7000);
  });

  it('lists again at once when its version is too old (410 on opening), and finds what was deleted meanwhile', async () => {
    server.put('a');
    server.put('b');
    const { informer, changes, lines } = setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    await informer.stop();
    server.remove('b');
    server.put('a', { spec: 'newer' });
    server.compact();
    informer.start();
    await eventually(() => expect(changes.slice(2)).to.deep.equal(['modified shop/a', 'deleted shop/b']));
    expect(lines.filter(({ level }) => level === 'warn')).to.deep.equal([]);
  });

  it('lists again on a 410 that comes as an ERROR event', async () => {
    setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.sendError(410, 'Expired');
    await eventually(() => expect(server.lists).to.have.length(2));
    await eventually(() => expect(server.openWatches).to.equal(1));
  });

  it('treats any other ERROR event as a broken watch and goes on from where it was', async () => {
    const { lines } = setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.sendError(500, 'InternalError');
    await eventually(() => expect(server.watches).to.have.length(2));
    expect(server.lists).to.have.length(1);
    expect(lines.find(({ level }) => level === 'warn')?.fields.error).to.equal(
      'the watch ended with an error: 500 InternalError',
    );
  });

  it('survives a server that is down, and reports what was deleted meanwhile', async () => {
    server.put('a');
    server.put('b');
    const { informer, changes } = setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    await server.goAway();
    server.remove('a');
    server.compact();
    await eventually(() => expect(informer.list()).to.have.length(2));
    await server.comeBack();
    await eventually(() => expect(changes).to.deep.equal(['added shop/a', 'added shop/b', 'deleted shop/a']));
    expect(informer.get('shop/b')).not.to.equal(undefined);
  });

  it('treats an object that was deleted and recreated during an outage as two objects', async () => {
    server.put('a');
    const { changes } = setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    await server.goAway();
    server.remove('a');
    server.put('a');
    server.compact();
    await server.comeBack();
    await eventually(() => expect(changes).to.deep.equal(['added shop/a', 'deleted shop/a', 'added shop/a']));
  });

  it('doubts its version after three broken watches', async () => {
    setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.failNext(500, 3);
    server.reset();
    await eventually(() => expect(server.lists.length).to.be.at.least(2));
    await eventually(() => expect(server.openWatches).to.equal(1));
  });

  it('ends a pause after an error when somebody knows that the API server answers, once a second', async () => {
    const clock = new ManualClock();
    server.failNext(500, 2);
    const { informer, changes, delays } = setUp({ clock });
    server.put('a');
    await eventually(() => expect(delays).to.have.length(1));
    informer.hasten();
    await eventually(() => expect(delays).to.have.length(2));
    informer.hasten();
    expect(changes).to.deep.equal([]);
    await clock.advance(1_000);
    await eventually(() => expect(changes).to.deep.equal(['added shop/a']));
  });

  it('knows up to which version its copy is complete, and that of the newest change', async () => {
    server.put('a');
    const { informer } = setUp();
    expect([informer.version, informer.newest]).to.deep.equal([undefined, undefined]);
    await eventually(() => expect(server.openWatches).to.equal(1));
    expect([informer.version, informer.newest]).to.deep.equal(['101', '101']);
    server.remove('a');
    await eventually(() => expect(informer.newest).to.equal('102'));
    expect(informer.version).to.equal('102');
  });

  it('backs off when each watch is closed as soon as it is open', async () => {
    server.closeWatchesAtOnce(true);
    const { lines, delays } = setUp();
    await eventually(() => expect(delays).to.have.length.at.least(3));
    expect(delays.slice(0, 3)).to.deep.equal([375, 750, 1500]);
    expect(lines.filter(({ level }) => level === 'warn')).to.have.length(1);
  });

  it('closes a watch that has gone silent', async () => {
    setUp({ watchIdleMs: 300 });
    await eventually(() => expect(server.watches.length).to.be.at.least(2));
    expect(server.lists).to.have.length(1);
  });

  it('reports a change again with the next list if it could not be noted', async () => {
    let broken = true;
    const { informer, changes, lines } = setUp({
      onChange: () => {
        if (broken) throw new Error('no room');
      },
    });
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.put('a');
    await eventually(() => expect(lines.filter(({ level }) => level === 'error')).to.have.length(1));
    expect(versionOf(informer.get('shop/a'))).to.equal('101');
    broken = false;
    server.sendError(410, 'Expired');
    await eventually(() => expect(changes).to.deep.equal(['added shop/a']));
  });

  it('lists again from time to time although the watch seems healthy', async () => {
    let skipped = 0;
    const elapsed = (): number => hurriedClock.elapsed() + skipped;
    const clock: Clock = { now: elapsed, elapsed, sleep: (ms, signal) => hurriedClock.sleep(ms, signal) };
    setUp({ clock, relistMs: 600_000 });
    await eventually(() => expect(server.openWatches).to.equal(1));
    skipped = 700_000;
    server.endWatches();
    await eventually(() => expect(server.lists).to.have.length(2));
  });

  it('lets no watch run past the next list', async () => {
    setUp({ relistMs: 60_000 });
    await eventually(() => expect(server.watches).to.have.length(1));
    expect(Number(server.watches[0]?.searchParams.get('timeoutSeconds'))).to.be.within(54, 66);
  });

  it('reduces listed and watched objects as it is told to', async () => {
    server.put('a');
    const { informer } = setUp({
      keep: ({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } }) => ({
        apiVersion,
        kind,
        metadata: {
          name,
          ...(namespace && { namespace }),
          ...(uid && { uid }),
          ...(resourceVersion && { resourceVersion }),
        },
        kept: true,
      }),
    });
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.put('b');
    await eventually(() => expect(informer.list()).to.have.length(2));
    for (const object of informer.list()) {
      expect(Object.keys(object).sort()).to.deep.equal(['apiVersion', 'kept', 'kind', 'metadata']);
    }
  });

  it('takes the next page, and the next event, when the one before is worked off', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name);
    let work = Promise.withResolvers<undefined>();
    const workOff = (): void => {
      const done = work;
      work = Promise.withResolvers();
      done.resolve(undefined);
    };
    const { changes, synced } = setUp({ pageSize: 2, whenReady: () => work.promise });
    await eventually(() => expect(changes).to.deep.equal(['added shop/a', 'added shop/b']));
    await hurriedClock.sleep(10);
    expect([server.lists.length, synced()]).to.deep.equal([1, 0]);
    workOff();
    await eventually(() => expect(server.openWatches).to.equal(1));
    expect(changes).to.have.length(3);
    server.put('d');
    server.put('e');
    await eventually(() => expect(changes.at(-1)).to.equal('added shop/d'));
    await hurriedClock.sleep(10);
    expect(changes.at(-1)).to.equal('added shop/d');
    workOff();
    await eventually(() => expect(changes.at(-1)).to.equal('added shop/e'));
    workOff();
  });

  it('keeps what its store keeps, and tells it what a whole list has', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name);
    const seen: string[] = [];
    const store: Store<KubernetesObject> = {
      get: () => undefined,
      list: () => [],
      put: ({ metadata }) => (seen.push(`put ${metadata.name}`), []),
      remove: ({ metadata }) => (seen.push(`remove ${metadata.name}`), []),
      retain: (listed, version) => (seen.push(`retain ${[...listed].join(' ')} at ${version}`), []),
    };
    const { changes } = setUp({ pageSize: 2, store });
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.remove('b');
    await eventually(() => expect(seen.at(-1)).to.equal('remove b'));
    expect(seen.slice(0, -1)).to.deep.equal(['put a', 'put b', 'put c', 'retain shop/a shop/b shop/c at 103']);
    expect(changes).to.deep.equal([]);
  });

  it('lists in pages and watches for as long as it is told to', async () => {
    server.put('a');
    server.put('b');
    server.put('c');
    const { informer } = setUp({ pageSize: 2, watchSeconds: 300 });
    await eventually(() => expect(server.watches).to.have.length(1));
    expect(informer.list()).to.have.length(3);
    expect(server.lists.map(({ searchParams }) => searchParams.get('limit'))).to.deep.equal(['2', '2']);
    expect(Number(server.watches[0]?.searchParams.get('timeoutSeconds'))).to.equal(450);
  });

  it('stops at once, in the middle of a watch or a list, and reports nothing afterwards', async () => {
    const { informer, changes } = setUp();
    await eventually(() => expect(server.openWatches).to.equal(1));
    await informer.stop();
    await eventually(() => expect(server.openWatches).to.equal(0));
    server.put('a');
    server.beSilent(true);
    const before = server.requests.length;
    informer.start();
    await eventually(() => expect(server.requests.length).to.be.greaterThan(before));
    await informer.stop();
    expect(changes).to.deep.equal([]);
  });

  it('opens one watch, however often it is started and stopped', async () => {
    const { informer, changes } = setUp();
    for (let i = 0; i < 5; i += 1) {
      informer.start();
      informer.start();
      void informer.stop();
    }
    informer.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.put('a');
    await eventually(() => expect(changes).to.deep.equal(['added shop/a']));
    expect(server.openWatches).to.equal(1);
  });

  it('logs neither token nor header when it fails', async () => {
    server.failNext(403, 2);
    const { informer, lines, delays } = setUp();
    await eventually(() => expect(informer.synced).to.equal(true));
    await server.goAway();
    await eventually(() => expect(delays.length).to.be.at.least(4));
    expect(lines).to.have.length.at.least(2);
    expect(JSON.stringify(lines))
      .not.to.contain('the-token')
      .and.not.to.match(/authorization/i);
    await server.comeBack();
  });
});
