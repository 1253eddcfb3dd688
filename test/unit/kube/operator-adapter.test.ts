import { ResourceEventType } from '@dot-i/k8s-operator';
import OperatorModule from '@dot-i/k8s-operator';
import type { ResourceEvent, ResourceMeta } from '@dot-i/k8s-operator';
import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';

import { ApiClient } from '../../../kube/api-client.ts';
import type { PooledKubeConfig } from '../../../kube/kube-config.ts';
import { ApiError } from '../../../kube/object-client.ts';
import { OperatorAdapter } from '../../../kube/operator-adapter.ts';
import { ListWatchServer } from '../../support/list-watch-server.ts';
import { eventually, hurriedClock } from '../../support/manual-clock.ts';
import { testLog } from '../../support/test-log.ts';

type Handler = (event: ResourceEvent) => Promise<void>;

/** As a subclass of the library's Operator is written: init() names what to watch. */
class ThingOperator extends OperatorAdapter {
  handler: Handler = () => Promise.resolve();
  readonly syncedPlurals: string[] = [];

  protected override async init(): Promise<void> {
    await this.watchResource('example.dev', 'v1', 'things', (event) => this.handler(event));
  }

  protected override onSynced(plural: string): void {
    this.syncedPlurals.push(plural);
  }

  again(key: string): void {
    this.enqueue({ group: 'example.dev', version: 'v1', plural: 'things' }, key);
  }

  known(): number {
    return this.informer('example.dev', 'v1', 'things').list().length;
  }

  writeStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta | null> {
    return this.patchResourceStatus(meta, status);
  }

  watchTwice(): Promise<void> {
    return this.init();
  }

  refused(): Promise<unknown>[] {
    return [this.setResourceFinalizers(), this.handleResourceFinalizer(), this.registerCustomResourceDefinition()];
  }

  uri(namespace?: string): string {
    return this.getCustomResourceApiUri('example.dev', 'v1', 'things', namespace);
  }
}

describe('OperatorAdapter, on a list-watch fake', () => {
  let server: ListWatchServer;
  let kubeConfig: PooledKubeConfig;
  let operator: ThingOperator;
  let events: ResourceEvent[];
  const log = testLog();

  beforeEach(async () => {
    server = await ListWatchServer.start();
    kubeConfig = server.kubeConfig();
    operator = newOperator();
    events = [];
    operator.handler = (event) => Promise.resolve(void events.push(event));
  });

  afterEach(async () => {
    await operator.stop();
    await kubeConfig.close();
    await server.goAway().catch(() => undefined);
  });

  function newOperator(): ThingOperator {
    return new ThingOperator({
      client: new ApiClient({ kubeConfig, userAgent: 'test/1' }),
      kubeConfig,
      fieldManager: 'test-status',
      clock: hurriedClock,
      random: () => 0.5,
      logger: log.logger,
    });
  }

  const told = (): string[] => events.map(({ type, meta }) => `${type} ${meta.namespace}/${meta.name}`);

  it('is an Operator of the library', () => {
    expect(operator).to.be.instanceOf(OperatorModule.default);
  });

  it('tells Added, Modified and Deleted in the library’s own types', async () => {
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.put('a');
    await eventually(() => expect(told()).to.have.length(1));
    server.put('a', { spec: 2 });
    await eventually(() => expect(told()).to.have.length(2));
    server.remove('a');
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a', 'MODIFIED shop/a', 'DELETED shop/a']));
    expect(events.map(({ type }) => type)).to.deep.equal([
      ResourceEventType.Added,
      ResourceEventType.Modified,
      ResourceEventType.Deleted,
    ]);
    expect(events[2]?.meta).to.include({
      id: 'things.example.dev/v1',
      apiVersion: 'example.dev/v1',
      kind: 'Thing',
      resourceVersion: '103',
    });
    expect(events[2]?.object).to.have.property('spec', 2);
  });

  it('is synced after the first list, not before', async () => {
    server.put('a');
    server.failNext(500, 2);
    await operator.start();
    expect(operator.synced).to.equal(false);
    await eventually(() => expect(operator.synced).to.equal(true));
    expect(operator.syncedPlurals).to.deep.equal(['things']);
    expect(operator.known()).to.equal(1);
    expect(operator.lastSeen).to.be.a('number');
  });

  it('starts although the API server is down', async () => {
    await server.goAway();
    await operator.start();
    await server.comeBack();
    await eventually(() => expect(operator.synced).to.equal(true));
  });

  it('reports nothing twice after a connection reset', async () => {
    server.put('a');
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.reset();
    await eventually(() => expect(server.watches).to.have.length(2));
    server.put('b');
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a', 'ADDED shop/b']));
  });

  it('survives five 500 responses', async () => {
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.failNext(500, 5);
    server.reset();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.put('a');
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a']));
  });

  it('lists again after 410', async () => {
    server.put('a');
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.sendError(410, 'Expired');
    await eventually(() => expect(server.lists).to.have.length(2));
    server.put('b');
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a', 'ADDED shop/b']));
  });

  it('reports a deletion that happened during an outage, with the last known state', async () => {
    server.put('a', { spec: 'last known' });
    await operator.start();
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a']));
    await server.goAway();
    server.remove('a');
    server.compact();
    await server.comeBack();
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a', 'DELETED shop/a']));
    expect(events[1]?.object).to.have.property('spec', 'last known');
  });

  it('reports both deletion and creation when an object was recreated during an outage', async () => {
    server.put('a');
    await operator.start();
    await eventually(() => expect(told()).to.have.length(1));
    await server.goAway();
    server.remove('a');
    server.put('a');
    server.compact();
    await server.comeBack();
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a', 'DELETED shop/a', 'ADDED shop/a']));
  });

  it('repeats an event when the handler fails, and goes on with the others', async () => {
    let failures = 3;
    operator.handler = (event) => {
      if (event.meta.name === 'a' && failures-- > 0) return Promise.reject(new Error('not now'));
      return Promise.resolve(void events.push(event));
    };
    server.put('a');
    server.put('b');
    await operator.start();
    await eventually(() => expect(told()).to.have.members(['ADDED shop/a', 'ADDED shop/b']));
    expect(log.lines.some(({ fields }) => String(fields.error).includes('not now'))).to.equal(true);
  });

  it('survives a handler that throws synchronously', async () => {
    let thrown = false;
    operator.handler = (event) => {
      if (thrown) return Promise.resolve(void events.push(event));
      thrown = true;
      throw new Error('at once');
    };
    server.put('a');
    await operator.start();
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a']));
  });

  it('reports only the newest state when states come faster than the handler is', async () => {
    let release = (): void => undefined;
    operator.handler = async (event) => {
      events.push(event);
      await new Promise<void>((resolve) => (release = resolve));
    };
    server.put('a');
    await operator.start();
    await eventually(() => expect(told()).to.have.length(1));
    for (let size = 1; size <= 10; size += 1) server.put('a', { size });
    await eventually(() => expect(server.openWatches).to.equal(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    release();
    await eventually(() => expect(events).to.have.length(2));
    expect(events[1]?.object).to.have.property('size', 10);
    release();
  });

  it('reports an unchanged object again, when asked to, until the handler has accepted it', async () => {
    server.put('a');
    await operator.start();
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a']));
    let failures = 1;
    operator.handler = (event) =>
      failures-- > 0 ? Promise.reject(new Error('not now')) : Promise.resolve(void events.push(event));
    operator.again('shop/a');
    await eventually(() => expect(told()).to.deep.equal(['ADDED shop/a', 'MODIFIED shop/a']));
    operator.again('shop/none');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told()).to.have.length(2);
  });

  it('reports the deletion of an object that was never reported before', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    operator.handler = async (event) => {
      if (event.meta.name !== 'last') await released;
      events.push(event);
    };
    // as many as are processed at once, and one that has to wait
    for (const name of ['a', 'b', 'c', 'd', 'last']) server.put(name);
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.remove('last');
    await eventually(() => expect(operator.known()).to.equal(4));
    release();
    await eventually(() => expect(told()).to.include('DELETED shop/last').and.have.length(5));
  });

  it('refuses to watch the same resource twice', async () => {
    await operator.start();
    const error: unknown = await operator.watchTwice().catch((reason: unknown) => reason);
    expect(error)
      .to.be.instanceOf(Error)
      .with.property('message')
      .that.matches(/already watched/);
  });

  describe('status', () => {
    const meta = {
      id: 'things.example.dev/v1',
      name: 'a',
      namespace: 'shop',
      resourceVersion: '101',
      apiVersion: 'example.dev/v1',
      kind: 'Thing',
    };

    it('is written by server-side apply, without a resourceVersion to collide with', async () => {
      server.put('a');
      const written = await operator.writeStatus(meta, { ready: true });
      expect(written).to.include({ name: 'a', resourceVersion: '101', id: meta.id });
      expect(server.applied).to.deep.equal([
        {
          path: '/apis/example.dev/v1/namespaces/shop/things/a/status?fieldManager=test-status&force=true',
          body: {
            apiVersion: 'example.dev/v1',
            kind: 'Thing',
            metadata: { name: 'a', namespace: 'shop' },
            status: { ready: true },
          },
        },
      ]);
    });

    it('is null for an object that is gone, and an error is an error', async () => {
      expect(await operator.writeStatus(meta, {})).to.equal(null);
      server.failNext(500);
      const error: unknown = await operator.writeStatus(meta, {}).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(ApiError).and.include({ code: 500 });
    });
  });

  it('rejects what the stock library only seems to do', async () => {
    const results = await Promise.allSettled(operator.refused());
    expect(results.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected']);
  });

  it('knows the URI of a resource', () => {
    expect(operator.uri('shop')).to.match(
      /^https:\/\/127\.0\.0\.1:\d+\/apis\/example\.dev\/v1\/namespaces\/shop\/things$/,
    );
    expect(operator.uri()).to.match(/\/apis\/example\.dev\/v1\/things$/);
  });

  it('stops without ending the process, closes its watch and reports nothing more', async () => {
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    const exit = process.exit.bind(process);
    let exited = false;
    process.exit = (() => (exited = true)) as unknown as typeof process.exit;
    try {
      await operator.stop();
      await eventually(() => expect(server.openWatches).to.equal(0));
    } finally {
      process.exit = exit;
    }
    server.put('a');
    expect(exited).to.equal(false);
    expect(events).to.deep.equal([]);
  });

  it('reads no other kubeconfig than its own, not even a broken one', () => {
    const before = process.env.KUBECONFIG;
    const loader = (): unknown => Reflect.get(KubeConfig.prototype, 'loadFromDefault');
    const stock = loader();
    process.env.KUBECONFIG = '/does/not/exist';
    try {
      expect(newOperator().uri()).to.match(/^https:\/\/127\.0\.0\.1:/);
    } finally {
      if (before === undefined) delete process.env.KUBECONFIG;
      else process.env.KUBECONFIG = before;
    }
    expect(loader()).to.equal(stock);
  });
});
