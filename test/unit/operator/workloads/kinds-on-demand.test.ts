import { expect } from 'chai';

import { kindsWith, PRESETS } from '../../../../core/added-kinds.ts';
import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import { Inventory } from '../../../../operator/workloads/inventory.ts';
import { ruleWith } from '../../../support/example-rule.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';

const ROLLOUTS: Resource = { group: 'argoproj.io', version: 'v1alpha1', plural: 'rollouts' };
const REPLICA_SETS: Resource = { group: 'apps', version: 'v1', plural: 'replicasets' };
const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments' };
const ROLLOUT = 'Rollout.argoproj.io';
const INJECTED = { metadata: { annotations: { 'vaultinjection.dev/injected': '{}' } } };

describe('kinds that are watched on demand', () => {
  let api: MemoryApi;
  let rules: RuleCache;
  let clock: ManualClock;
  let lines: ReturnType<typeof testLog>['lines'];
  let problems: number;
  /** Resources of which those of the whole cluster were listed. */
  let ofAll: string[];
  let isSent: boolean;
  let watches: AbortController;
  let inventory: Inventory;

  beforeEach(() => {
    api = new MemoryApi();
    ofAll = [];
    rules = new RuleCache();
    clock = new ManualClock();
    const log = testLog();
    [lines, problems, isSent] = [log.lines, 0, false];
    watches = new AbortController();
    inventory = new Inventory({
      client: {
        get: (resource, name) => api.get(resource, name),
        list: (resource, list) => {
          if (resource.namespace === undefined) ofAll.push(resource.plural);
          return api.list(resource, list);
        },
        watch: (resource, watch) =>
          api.watch(resource, { ...watch, signal: AbortSignal.any([watch.signal, watches.signal]) }),
      },
      rules,
      kinds: kindsWith(PRESETS.ArgoRollout ? [PRESETS.ArgoRollout] : []),
      isSent: () => isSent,
      onProblem: () => (problems += 1),
      excludes: () => false,
      judge: () => ({
        state: 'Injected',
        policy: { name: 'shop-secrets', uid: 'uid-1', hash: 'aaaaaaaaaaaa' },
        yielding: [],
        reads: [],
        restartPending: false,
      }),
      clock,
      random: () => 0.5,
      logger: log.logger,
      onChanged: () => undefined,
      onSettled: () => undefined,
    });
  });
  afterEach(() => inventory.stop());

  function create(resource: Resource, kind: string, name: string, more: object = {}): Promise<KubernetesObject> {
    const { group, version } = resource;
    const namespace = 'shop';
    const { template, ...metadata } = more as { template?: object };
    const object = { apiVersion: `${group}/${version}`, kind, metadata: { name, namespace, ...metadata } };
    return api.create({ ...resource, namespace }, { ...object, spec: { template } });
  }

  const policy = (targets: readonly string[], namespace = 'shop'): void =>
    void rules.set(ruleWith({ targets, policy: { namespace, generation: Math.random() } }));
  const keys = (): string[] =>
    inventory
      .ofNamespace('shop')
      .map(({ key }) => key)
      .toSorted();
  const asked = (plural: string): string[] => api.calls.filter((call) => call.endsWith(` ${plural}`));
  const away = (code: number, reason: string): void => {
    api.before = (_, name) => {
      if (name === 'rollouts') throw new ApiError(code, reason, `rollouts: ${reason}`);
    };
  };

  it('are not asked for while no policy names them', async () => {
    policy(['Deployment']);
    inventory.start();
    await settle();
    expect(inventory.settled('shop')).to.equal(true);
    expect([...asked('replicasets'), ...asked('rollouts'), ...asked('pods')]).to.deep.equal([]);
    expect(inventory.knows(ROLLOUT), 'there is nothing to know').to.equal(true);
  });

  it('are known when one names them at the start, and when one does so later', async () => {
    await create(ROLLOUTS, 'Rollout', 'web');
    await create(REPLICA_SETS, 'ReplicaSet', 'old');
    policy([ROLLOUT]);
    inventory.start();
    await settle();
    expect(keys()).to.deep.equal([`${ROLLOUT}/shop/web`]);
    policy([ROLLOUT, 'ReplicaSet']);
    expect(inventory.settled('shop'), 'until they are listed').to.equal(false);
    await settle();
    expect(keys()).to.deep.equal(['ReplicaSet/shop/old', `${ROLLOUT}/shop/web`]);
    expect(inventory.settled('shop')).to.equal(true);
    await create(REPLICA_SETS, 'ReplicaSet', 'new');
    await settle();
    expect(keys()).to.include('ReplicaSet/shop/new');
  });

  it('keep no other namespace waiting when one more is watched', async () => {
    await create(DEPLOYMENTS, 'Deployment', 'web');
    policy(['Deployment']);
    inventory.start();
    await settle();
    const held: (() => void)[] = [];
    api.before = (_, name) => (name === 'rollouts' ? new Promise<void>((resolve) => held.push(resolve)) : undefined);
    policy([ROLLOUT], 'bank');
    await settle();
    expect(inventory.settled('shop')).to.equal(true);
    expect(inventory.settled('bank')).to.equal(false);
    expect(inventory.knows(ROLLOUT)).to.equal(false);
    api.before = () => undefined;
    for (const release of held) release();
    await settle();
    expect(inventory.settled('bank')).to.equal(true);
  });

  it('are dropped when no policy names them any more, and none is injected', async () => {
    await create(ROLLOUTS, 'Rollout', 'web');
    policy([ROLLOUT]);
    inventory.start();
    await settle();
    policy(['Deployment']);
    await settle();
    expect(keys()).to.deep.equal([]);
    api.calls.length = 0;
    await create(ROLLOUTS, 'Rollout', 'other');
    await settle();
    expect(keys()).to.deep.equal([]);
    policy([ROLLOUT]);
    await settle();
    expect(keys(), 'named again').to.deep.equal([`${ROLLOUT}/shop/other`, `${ROLLOUT}/shop/web`]);
  });

  it('are listed a few times, and then each two minutes, by a tenant who names one again and again', async () => {
    await create(ROLLOUTS, 'Rollout', 'web');
    policy(['Deployment']);
    inventory.start();
    await settle();
    for (let times = 0; times < 20; times++) {
      policy([ROLLOUT]);
      await settle();
      policy(['Deployment']);
      await settle();
    }
    const lists = (): number => ofAll.filter((plural) => plural === 'rollouts').length;
    // each begins with a look whether the kind is there
    expect(lists()).to.equal(2 * 3);
    policy([ROLLOUT]);
    await settle();
    expect(inventory.settled('shop'), 'it has to wait').to.equal(false);
    await clock.advance(120_000);
    await settle();
    expect(keys()).to.deep.equal([`${ROLLOUT}/shop/web`]);
    expect(lists()).to.equal(2 * 4);
  });

  it('stay watched until the last injected one is restored', async () => {
    await create(ROLLOUTS, 'Rollout', 'web', { template: INJECTED });
    policy([ROLLOUT]);
    inventory.start();
    await settle();
    rules.delete('shop', 'shop-secrets');
    await settle();
    expect(inventory.holdsInjected('shop', ROLLOUT)).to.equal(true);
    api.edit({ ...ROLLOUTS, namespace: 'shop' }, 'web', 'kubectl', (object) => (object.spec = { template: {} }));
    await settle();
    expect(inventory.holdsInjected('shop', ROLLOUT)).to.equal(false);
    api.calls.length = 0;
    await create(ROLLOUTS, 'Rollout', 'other', { template: INJECTED });
    await settle();
    expect(inventory.holdsInjected('shop', ROLLOUT), 'not watched any more').to.equal(false);
  });

  it('are looked for after a start if API servers still send them: an earlier policy may have had them injected', async () => {
    await create(ROLLOUTS, 'Rollout', 'web', { template: INJECTED });
    isSent = true;
    inventory.start();
    expect(inventory.holdsInjected('shop', ROLLOUT), 'not known yet').to.equal(undefined);
    await settle();
    expect(inventory.holdsInjected('shop', ROLLOUT)).to.equal(true);
    api.calls.length = 0;
    await settle();
    expect(inventory.injectedKinds()).to.deep.equal(new Map([['shop', new Set([ROLLOUT])]]));
    expect(asked('replicasets'), 'of which there were none').to.deep.equal([]);
  });

  it('that a controller has made are dropped on arrival, injected or not', async () => {
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u', controller: true };
    await create(REPLICA_SETS, 'ReplicaSet', 'made', { ownerReferences: [owner], template: INJECTED });
    await create(REPLICA_SETS, 'ReplicaSet', 'own');
    policy(['ReplicaSet']);
    inventory.start();
    await settle();
    expect(keys()).to.deep.equal(['ReplicaSet/shop/own']);
    expect(inventory.holdsInjected('shop', 'ReplicaSet')).to.equal(false);
    api.edit({ ...REPLICA_SETS, namespace: 'shop' }, 'own', 'deployment-controller', (object) => {
      (object.metadata as { ownerReferences?: object[] }).ownerReferences = [owner];
    });
    await settle();
    expect(keys(), 'adopted').to.deep.equal([]);
  });

  for (const [code, reason, problem] of [
    [404, 'NotFound', 'NotServed'],
    [403, 'Forbidden', 'Forbidden'],
  ] as const) {
    it(`keep nothing waiting while the API server answers ${code}, and are known when it does not any more`, async () => {
      await create(DEPLOYMENTS, 'Deployment', 'web');
      await create(ROLLOUTS, 'Rollout', 'web');
      away(code, reason);
      policy(['Deployment', ROLLOUT]);
      inventory.start();
      await settle();
      expect(inventory.settled('shop')).to.equal(true);
      expect(keys()).to.deep.equal(['Deployment/shop/web']);
      expect(inventory.problemOf(ROLLOUT)).to.equal(problem);
      expect(inventory.knows(ROLLOUT)).to.equal(true);
      expect(inventory.holdsInjected('shop', ROLLOUT), 'injected ones').to.equal(code === 404 ? false : undefined);
      await clock.advance(60_000);
      await settle();
      const told = lines.map(({ message }) => message).filter((message) => message.startsWith('a kind of workloads'));
      expect(told, 'once').to.deep.equal(['a kind of workloads cannot be watched, will retry']);
      expect(problems).to.equal(1);
      api.before = () => undefined;
      await clock.advance(60_000);
      await settle();
      expect(inventory.problemOf(ROLLOUT)).to.equal(undefined);
      expect(keys()).to.deep.equal(['Deployment/shop/web', `${ROLLOUT}/shop/web`]);
      expect(problems).to.equal(2);
    });
  }

  it('are forgotten when their CRD is removed', async () => {
    await create(ROLLOUTS, 'Rollout', 'web', { template: INJECTED });
    policy([ROLLOUT]);
    inventory.start();
    await settle();
    expect(keys()).to.deep.equal([`${ROLLOUT}/shop/web`]);
    away(404, 'NotFound');
    watches.abort();
    await clock.advance(60_000);
    await settle();
    expect(keys()).to.deep.equal([]);
    expect(inventory.problemOf(ROLLOUT)).to.equal('NotServed');
    expect(inventory.holdsInjected('shop', ROLLOUT)).to.equal(false);
  });
});
