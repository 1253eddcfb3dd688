import { expect } from 'chai';

import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import { Inventory } from '../../../../operator/workloads/inventory.ts';
import type { Judgement } from '../../../../operator/workloads/inventory.ts';
import type { State } from '../../../../core/workload/standing.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const resourceOf = (plural: string, namespace: string): Resource => ({
  group: 'apps',
  version: 'v1',
  plural,
  namespace,
});

describe('Inventory', () => {
  let api: MemoryApi;
  let rules: RuleCache;
  let judged: string[];
  let judgements: Judgement[];
  let gone: string[];
  let changed: string[];
  let settled: string[];
  let state: State;
  let lines: ReturnType<typeof testLog>['lines'];
  let inventory: Inventory;
  let clock: ManualClock;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    rules = new RuleCache();
    [judged, judgements, gone, changed, settled, state] = [[], [], [], [], [], 'Injected'];
    const log = testLog();
    lines = log.lines;
    inventory = new Inventory({
      client: api,
      rules,
      excludes: () => false,
      judge: (key, { metadata }) => {
        judged.push(key);
        if (metadata.name === 'defect') throw new Error('secret/of/a/manifest');
        const policy = { name: 'shop-secrets', uid: 'uid-1', hash: 'aaaaaaaaaaaa' };
        return { state, policy, yielding: ['other'], reads: [], restartPending: false };
      },
      clock,
      random: () => 0.5,
      logger: log.logger,
      onJudged: (judgement) => judgements.push(judgement),
      onGone: (key) => gone.push(key),
      onChanged: (policyKey) => changed.push(policyKey),
      onSettled: (namespace) => settled.push(namespace),
    });
  });
  afterEach(() => inventory.stop());

  async function create(name: string, namespace = 'shop', plural = 'deployments'): Promise<KubernetesObject> {
    const kind = plural === 'deployments' ? 'Deployment' : 'StatefulSet';
    const object = { apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec: {} };
    return api.create(resourceOf(plural, namespace), object);
  }

  const rule = (namespace: string, name = 'shop-secrets'): boolean =>
    rules.set(ruleWith({ policy: { namespace, name, generation: Math.random() } }));

  it('knows Deployments and StatefulSets of the namespaces with rules, and of no others', async () => {
    for (const namespace of ['shop', 'bank', 'none']) await create('web', namespace);
    await create('db', 'shop', 'statefulsets');
    rule('shop');
    inventory.start();
    rule('bank');
    await settle();
    expect(judged.toSorted()).to.deep.equal(['Deployment/bank/web', 'Deployment/shop/web', 'StatefulSet/shop/db']);
    expect(inventory.counts()).to.deep.equal({ Injected: 3 });
    expect(inventory.settled('shop')).to.equal(true);
    expect(inventory.settled('none')).to.equal(false);
    expect(inventory.ofNamespace('shop').map(({ key }) => key)).to.have.members([
      'Deployment/shop/web',
      'StatefulSet/shop/db',
    ]);
  });

  it('does not start when it has been stopped before', async () => {
    await create('web');
    rule('shop');
    await inventory.stop();
    inventory.start();
    await settle();
    expect(judged).to.deep.equal([]);
  });

  it('judges again only the namespace whose rules have changed', async () => {
    await create('web');
    await create('web', 'bank');
    rule('shop');
    rule('bank');
    inventory.start();
    await settle();
    judged.length = 0;
    rule('bank');
    expect(inventory.settled('bank'), 'until it is judged').to.equal(false);
    expect(inventory.settled('shop')).to.equal(true);
    await settle();
    expect(judged).to.deep.equal(['Deployment/bank/web']);
    expect(inventory.settled('bank')).to.equal(true);
    expect(settled.at(-1)).to.equal('bank');
  });

  it('reports what it judges, what was before, and what has just been created', async () => {
    await create('old');
    rule('shop');
    inventory.start();
    await settle();
    await create('new');
    await settle();
    state = 'Missed';
    inventory.judgeAgain('Deployment/shop/old');
    await settle();
    const told = judgements.map(({ key, standing, before, isNew }) => [key, standing?.state, before?.state, isNew]);
    expect(told).to.deep.equal([
      ['Deployment/shop/old', 'Injected', undefined, false],
      ['Deployment/shop/new', 'Injected', undefined, true],
      ['Deployment/shop/old', 'Missed', 'Injected', false],
    ]);
    expect(changed).to.include.members(['shop/shop-secrets', 'shop/other']);
  });

  it('takes the response to a write at once, and nothing older that comes later', async () => {
    const object = await create('web');
    rule('shop');
    inventory.start();
    await settle();
    const at = (version: string, generation: number): KubernetesObject => ({
      ...object,
      metadata: { ...object.metadata, resourceVersion: version, generation },
    });
    inventory.saw(at('1000', 7));
    expect(inventory.get('Deployment/shop/web')?.workload.metadata.generation).to.equal(7);
    inventory.saw(at('999', 6));
    api.edit(resourceOf('deployments', 'shop'), 'web', 'somebody', (one) => (one.spec = { replicas: 2 }));
    await settle();
    expect(inventory.get('Deployment/shop/web')?.workload.metadata.generation).to.equal(7);
    inventory.saw({ ...at('1', 1), metadata: { ...at('1', 1).metadata, uid: 'another' } });
    expect(inventory.get('Deployment/shop/web')?.workload.metadata.uid, 'another object').to.equal('another');
  });

  it('judges at once what its watch has already reported and is still to be judged', async () => {
    await create('web');
    rule('shop');
    inventory.start();
    await settle();
    state = 'Missed';
    inventory.judgeAgain('Deployment/shop/web');
    expect(inventory.settled('shop')).to.equal(false);
    const known = await api.get(resourceOf('deployments', 'shop'), 'web');
    if (known === undefined) throw new Error('it is there');
    inventory.saw(known);
    expect(inventory.get('Deployment/shop/web')?.standing.state).to.equal('Missed');
    expect(inventory.settled('shop')).to.equal(true);
    judged.length = 0;
    inventory.saw(known);
    await settle();
    expect(judged, 'and no second time').to.deep.equal([]);
  });

  it('starts in slices, and follows policies that come and go meanwhile', async () => {
    let now = 0;
    clock.elapsed = () => (now += 3);
    for (const namespace of ['a', 'b', 'c', 'd', 'late']) await create('web', namespace);
    for (const namespace of ['a', 'b', 'c', 'd']) rule(namespace);
    inventory.start();
    expect(changed, 'in the first slice').to.deep.equal(['a/shop-secrets', 'b/shop-secrets']);
    rules.delete('d', 'shop-secrets');
    rule('late');
    await settle();
    const known = ['a', 'b', 'c', 'd', 'late'].filter((namespace) => inventory.settled(namespace));
    expect(known).to.deep.equal(['a', 'b', 'c', 'late']);
    expect(inventory.list().map(({ key }) => key)).to.have.members(
      ['a', 'b', 'c', 'late'].map((namespace) => `Deployment/${namespace}/web`),
    );
  });

  it('can be stopped while it starts', async () => {
    let now = 0;
    clock.elapsed = () => (now += 3);
    for (const namespace of ['a', 'b', 'c', 'd']) {
      await create('web', namespace);
      rule(namespace);
    }
    inventory.start();
    await inventory.stop();
    await settle();
    expect(changed).to.deep.equal(['a/shop-secrets', 'b/shop-secrets']);
    expect(judged).to.deep.equal([]);
  });

  it('forgets what is deleted, and a namespace without rules', async () => {
    await create('web');
    await create('db', 'shop', 'statefulsets');
    rule('shop');
    inventory.start();
    await settle();
    await api.delete(resourceOf('deployments', 'shop'), 'web');
    await settle();
    expect(gone).to.deep.equal(['Deployment/shop/web']);
    rules.delete('shop', 'shop-secrets');
    expect(gone).to.deep.equal(['Deployment/shop/web', 'StatefulSet/shop/db']);
    expect(inventory.counts()).to.deep.equal({});
    judged.length = 0;
    rule('shop');
    await settle();
    expect(judged, 'and finds it again').to.deep.equal(['StatefulSet/shop/db']);
  });

  const lists = (): string[] => api.calls.filter((call) => call.startsWith('list '));
  const gets = (): string[] => api.calls.filter((call) => call.startsWith('get '));

  it('lists each kind once, however many namespaces have rules, and watches it once', async () => {
    for (const namespace of ['shop', 'bank', 'club']) {
      await create('web', namespace);
      rule(namespace);
    }
    inventory.start();
    await settle();
    expect(judged).to.have.length(3);
    const reads = api.calls.filter((call) => !call.startsWith('create'));
    expect(reads.toSorted()).to.deep.equal([
      ...['cronjobs', 'daemonsets', 'deployments', 'jobs', 'statefulsets'].map((plural) => `list ${plural}`),
      ...['cronjobs', 'daemonsets', 'deployments', 'jobs', 'statefulsets'].map((plural) => `watch ${plural}`),
    ]);
  });

  it('fetches what the namespace holds when its rules change, and nothing where it holds nothing', async () => {
    await create('web');
    rule('shop');
    rule('empty');
    inventory.start();
    await settle();
    api.calls.length = 0;
    rule('shop');
    rule('empty');
    await settle();
    expect(lists()).to.deep.equal(['list deployments']);
    expect([inventory.settled('shop'), inventory.settled('empty')]).to.deep.equal([true, true]);
  });

  it('gets one workload that is to be judged again, and lists a namespace with many of them', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `web-${index}`);
    for (const name of names) await create(name);
    rule('shop');
    inventory.start();
    await settle();
    api.calls.length = 0;
    judged.length = 0;
    inventory.judgeAgain('Deployment/shop/web-0');
    inventory.judgeAgain('Deployment/shop/web-0');
    expect(inventory.settled('shop')).to.equal(false);
    await settle();
    expect([judged.splice(0), gets(), lists()]).to.deep.equal([['Deployment/shop/web-0'], ['get web-0'], []]);
    for (const name of names) inventory.judgeAgain(`Deployment/shop/${name}`);
    await settle();
    expect(new Set(judged).size).to.equal(8);
    expect(lists()).to.deep.equal(['list deployments']);
    expect(gets().length).to.be.at.most(4);
    expect(inventory.settled('shop')).to.equal(true);
  });

  it('is not settled while a fetch fails, which is repeated', async () => {
    await create('web');
    rule('shop');
    inventory.start();
    await settle();
    judged.length = 0;
    api.before = (operation) => {
      if (operation === 'list') throw new ApiError(503, 'ServiceUnavailable', 'not now');
    };
    rule('shop');
    await settle();
    expect([inventory.settled('shop'), judged]).to.deep.equal([false, []]);
    api.before = () => undefined;
    await clock.advance(1_000);
    expect([inventory.settled('shop'), judged]).to.deep.equal([true, ['Deployment/shop/web']]);
  });

  it('drops what a fetch shows to be deleted, although the watch has yet to say so', async () => {
    for (const name of ['web', 'gone']) await create(name);
    rule('shop');
    const watch = api.watch.bind(api);
    let isFrozen = false;
    const thaw = Promise.withResolvers<undefined>();
    api.watch = async function* (resource, options) {
      for await (const event of watch(resource, options)) {
        if (isFrozen) await thaw.promise;
        yield event as never;
      }
    };
    inventory.start();
    await settle();
    judged.length = 0;
    isFrozen = true;
    await api.delete(resourceOf('deployments', 'shop'), 'gone');
    await settle();
    expect(gone).to.deep.equal([]);
    rule('shop');
    await settle();
    expect([gone, judged]).to.deep.equal([['Deployment/shop/gone'], ['Deployment/shop/web']]);
    expect(inventory.settled('shop')).to.equal(true);
    thaw.resolve(undefined);
  });

  it('finds by its next list what was deleted while there was no watch, also where no rules are', async () => {
    const injected = { template: { metadata: { annotations: { 'vaultinjection.dev/injected': 'shop/1' } }, spec: {} } };
    for (const [name, namespace] of [
      ['web', 'shop'],
      ['gone', 'shop'],
      ['gone', 'left'],
    ] as const) {
      await create(name, namespace);
    }
    api.edit(resourceOf('deployments', 'left'), 'gone', 'webhook', (one) => (one.spec = injected));
    rule('shop');
    const end = Promise.withResolvers<undefined>();
    const watch = api.watch.bind(api);
    api.watch = async function* () {
      api.watch = watch;
      yield* [];
      await end.promise;
    };
    inventory.start();
    await settle();
    expect([inventory.settled('shop'), inventory.holdsInjected('left', 'Deployment')]).to.deep.equal([true, true]);
    await api.delete(resourceOf('deployments', 'shop'), 'gone');
    await api.delete(resourceOf('deployments', 'left'), 'gone');
    await clock.advance(2 * 3_600_000);
    end.resolve(undefined);
    await settle();
    expect(gone).to.deep.equal(['Deployment/shop/gone']);
    expect(inventory.holdsInjected('left', 'Deployment')).to.equal(false);
    expect(judged, 'the others are not judged again').to.deep.equal(['Deployment/shop/web', 'Deployment/shop/gone']);
  });

  it('lets no older state win that a fetch brings: it asks for the newest', async () => {
    const old = await create('web');
    rule('shop');
    inventory.start();
    await settle();
    api.edit(resourceOf('deployments', 'shop'), 'web', 'somebody', (one) => (one.spec = { replicas: 2 }));
    await settle();
    judged.length = 0;
    const list = api.list.bind(api);
    api.list = async () => {
      api.list = list;
      await Promise.resolve();
      return { metadata: { resourceVersion: '1' }, items: [old] } as never;
    };
    rule('shop');
    await settle();
    const version = (await api.get(resourceOf('deployments', 'shop'), 'web'))?.metadata.resourceVersion;
    expect(inventory.get('Deployment/shop/web')?.workload.metadata.resourceVersion).to.equal(version);
    expect(judged).to.deep.equal(['Deployment/shop/web']);
    expect(gets()).to.include('get web');
  });

  it('keeps of a namespace without rules only whether it holds an injected workload', async () => {
    const injected = { template: { metadata: { annotations: { 'vaultinjection.dev/injected': 'shop/1' } }, spec: {} } };
    await create('web', 'left');
    await create('bare', 'bare');
    api.edit(resourceOf('deployments', 'left'), 'web', 'webhook', (one) => (one.spec = injected));
    expect(inventory.holdsInjected('left', 'Deployment'), 'before the first list').to.equal(undefined);
    expect(inventory.lastSeen).to.equal(undefined);
    inventory.start();
    await settle();
    expect([
      inventory.holdsInjected('left', 'Deployment'),
      inventory.holdsInjected('bare', 'Deployment'),
    ]).to.deep.equal([true, false]);
    expect(inventory.lastSeen).to.equal(clock.now());
    expect(judged).to.deep.equal([]);
    rule('left');
    await settle();
    rules.delete('left', 'shop-secrets');
    expect(inventory.holdsInjected('left', 'Deployment'), 'when its rules are gone again').to.equal(true);
    api.edit(resourceOf('deployments', 'left'), 'web', 'somebody', (one) => (one.spec = { replicas: 2 }));
    await settle();
    expect(inventory.holdsInjected('left', 'Deployment')).to.equal(false);
    api.edit(resourceOf('deployments', 'bare'), 'bare', 'somebody', (one) => (one.spec = injected));
    await settle();
    expect([...(inventory.injectedKinds() ?? [])]).to.deep.equal([['bare', new Set(['Deployment'])]]);
    await api.delete(resourceOf('deployments', 'bare'), 'bare');
    await settle();
    expect(inventory.holdsInjected('bare', 'Deployment')).to.equal(false);
  });

  it('goes on when one cannot be judged, and logs none of its content', async () => {
    await create('defect');
    await create('web');
    rule('shop');
    inventory.start();
    await settle();
    expect(inventory.counts()).to.deep.equal({ Injected: 1 });
    expect(inventory.settled('shop')).to.equal(true);
    expect(lines.filter(({ level }) => level === 'error')).to.have.length(1);
    expect(JSON.stringify(lines)).not.to.include('manifest');
  });
});
