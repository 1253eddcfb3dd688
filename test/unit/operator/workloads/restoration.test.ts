import { expect } from 'chai';

import { KINDS, rowOf, watchedKinds } from '../../../../core/kinds.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { NO_TURN, restoreAll } from '../../../../operator/workloads/restoration.ts';
import type { Left, RestorationOptions } from '../../../../operator/workloads/restoration.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const INJECTED = { 'vaultinjection.dev/injected': 'shop/1/abc' };
const REQUESTED = 'vaultinjection.dev/requested';

describe('restoring all workloads', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let lines: string[];
  /** What admission does with a change of annotations; throws what it refuses. */
  let admit: (name: string) => boolean;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    lines = [];
    admit = () => true;
    const patch = api.patch.bind(api);
    api.patch = async (resource, name, changes, options) => {
      const isRestored = admit(name);
      const template = { metadata: { annotations: { 'vaultinjection.dev/injected': null } } };
      return patch(resource, name, isRestored ? { ...changes, spec: { template } } : changes, options);
    };
  });

  async function workload(
    name: string,
    annotations: Record<string, string> = {},
    kind: 'Deployment' | 'StatefulSet' = 'Deployment',
  ): Promise<void> {
    await api.create(
      { ...KINDS[kind].resource, namespace: 'shop' },
      {
        apiVersion: 'apps/v1',
        kind,
        metadata: { namespace: 'shop', name, annotations },
        spec: { template: { metadata: { annotations: INJECTED } } },
      },
    );
  }
  const stored = (name: string): Promise<KubernetesObject | undefined> =>
    api.get({ ...KINDS.Deployment.resource, namespace: 'shop' }, name);

  /** Lets time pass until it has ended; resolves with what is left and the seconds that it took. */
  async function restored(
    rate = 5,
    more: Partial<RestorationOptions> = {},
  ): Promise<{ readonly left: readonly Left[]; readonly seconds: number }> {
    const state: { left?: readonly Left[] } = {};
    const work = restoreAll({ client: api, clock, rate, say: (line) => lines.push(line), ...more }).then((left) => {
      state.left = left;
    });
    let seconds = 0;
    for (; seconds < 600 && state.left === undefined; seconds += 1) await clock.advance(1_000);
    await work;
    return { left: state.left ?? [], seconds };
  }

  it('says that there is nothing to do', async () => {
    expect((await restored()).left).to.deep.equal([]);
    expect(lines).to.deep.equal(['no workload is injected']);
  });

  it('has admission restore each, and leaves no trace of the request', async () => {
    await workload('web');
    await workload('asked', { [REQUESTED]: 'Repair/0123456789ab/1/2026-11-23T12:00:00Z', theirs: 'stays' });
    await workload('db', {}, 'StatefulSet');
    expect((await restored()).left).to.deep.equal([]);
    expect((await stored('web'))?.metadata.annotations).to.deep.equal({});
    expect((await stored('asked'))?.metadata.annotations).to.deep.equal({ theirs: 'stays' });
    expect(lines).to.deep.equal(['restoring 3 workloads, 5 in a second', 'restored 3 of 3, 0 left']);
  });

  it('removes the request that an earlier run, which was killed, has left behind', async () => {
    await workload('web', { [REQUESTED]: 'Uninstall' });
    const place = { ...KINDS.Deployment.resource, namespace: 'shop' };
    api.edit(place, 'web', 'admission', (object) => Object.assign(object, { spec: { template: {} } }));
    expect((await restored()).left).to.deep.equal([]);
    expect((await stored('web'))?.metadata.annotations).to.deep.equal({});
  });

  it('keeps to the rate, and tells how far it is', async () => {
    for (let index = 0; index < 60; index += 1) await workload(`web-${index}`);
    const { seconds } = await restored(2);
    expect(seconds).to.be.within(30, 34);
    expect(lines.slice(1)).to.deep.equal(['restored 25 of 60', 'restored 50 of 60', 'restored 60 of 60, 0 left']);
  });

  it('waits for replicas that do not know yet', async () => {
    await workload('web');
    let asked = 0;
    // two requests for each attempt
    admit = () => (asked += 1) > 4;
    expect((await restored()).left).to.deep.equal([]);
    expect(lines.at(-1)).to.equal('restored 1 of 1, 0 left');
  });

  it('continues after failures, and names what is left and why', async () => {
    for (const name of ['bad', 'good', 'mute']) await workload(name);
    admit = (name) => {
      if (name === 'bad') throw new ApiError(403, 'Forbidden', 'denied by a policy of the cluster');
      return name !== 'mute';
    };
    const { left } = await restored();
    expect(left.map(({ workload: name }) => name)).to.deep.equal(['shop/bad (Deployment)', 'shop/mute (Deployment)']);
    expect(left[0]?.why).to.contain('denied by a policy of the cluster');
    expect(left[1]?.why).to.contain('admission has not restored it');
    expect(lines.filter((line) => line.startsWith('not restored: '))).to.deep.equal([
      'not restored: shop/bad (Deployment): denied by a policy of the cluster',
    ]);
    expect(lines.at(-1)).to.equal('restored 1 of 3, 2 left');
  });

  it('takes a workload that is gone for restored', async () => {
    await workload('gone');
    api.before = async (operation) => {
      if (operation !== 'patch') return;
      api.before = () => undefined;
      await api.delete({ ...KINDS.Deployment.resource, namespace: 'shop' }, 'gone');
    };
    expect((await restored()).left).to.deep.equal([]);
  });

  it('ends where something injects again what was restored, and says so', async () => {
    await workload('web');
    const list = api.list.bind(api);
    api.list = async (resource, options) => {
      const injectedAgain = { spec: { template: { metadata: { annotations: INJECTED } } } };
      const place = { ...KINDS.Deployment.resource, namespace: 'shop' };
      api.edit(place, 'web', 'somebody', (object) => Object.assign(object, injectedAgain));
      return list(resource, options);
    };
    const { left } = await restored();
    expect(left.map(({ why }) => why).join()).to.contain('is injected again');
    expect(lines.at(-1)).to.equal('restored 0 of 1, 1 left');
  });

  it('says how long many will take', async () => {
    for (let index = 0; index < 300; index += 1) await workload(`web-${index}`);
    await restored(2);
    expect(lines[0]).to.equal('restoring 300 workloads, 2 in a second: about 3 min');
  });

  it('ends when its time is over, and names what is left', async () => {
    for (let index = 0; index < 60; index += 1) await workload(`web-${index}`);
    const { left, seconds } = await restored(5, { withinMs: 4_000 });
    expect(seconds).to.be.at.most(5);
    expect(left).to.have.length(40);
    expect(new Set(left.map(({ why }) => why))).to.deep.equal(new Set([NO_TURN]));
    expect(lines.slice(-2)).to.deep.equal(['the time that it may take is over', 'restored 20 of 60, 40 left']);
    expect((await restored()).left).to.deep.equal([]);
    expect(lines.at(-1)).to.equal('restored 40 of 40, 0 left');
  });

  it('ends when it is told to, and names what is left', async () => {
    for (let index = 0; index < 60; index += 1) await workload(`web-${index}`);
    const stop = new AbortController();
    let asked = 0;
    // two requests for each
    admit = () => {
      if ((asked += 1) === 20) stop.abort();
      return true;
    };
    const { left } = await restored(5, { signal: stop.signal });
    expect(left).to.have.length(50);
    expect(lines.slice(-2)).to.deep.equal(['stopped by a signal', 'restored 10 of 60, 50 left']);
  });

  it('waits for an API server that is away for a moment, and says so once', async () => {
    for (let index = 0; index < 20; index += 1) await workload(`web-${index}`);
    let calls = 0;
    api.before = () => {
      calls += 1;
      if (calls >= 20 && calls < 30) throw new ApiError(0, 'ECONNREFUSED', 'PATCH …: connection refused');
    };
    expect((await restored()).left).to.deep.equal([]);
    expect(lines.slice(1)).to.deep.equal([
      'waiting for the API server: PATCH …: connection refused',
      'restored 20 of 20, 0 left',
    ]);
  });

  it('counts no ReplicaSet of a Deployment, which its controller gives the same annotations', async () => {
    await workload('web', { [REQUESTED]: 'Uninstall' });
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u', controller: true };
    await api.create(
      { ...KINDS.ReplicaSet.resource, namespace: 'shop' },
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: {
          namespace: 'shop',
          name: 'web-1',
          annotations: { [REQUESTED]: 'Uninstall' },
          ownerReferences: [owner],
        },
        spec: { template: { metadata: { annotations: INJECTED } } },
      },
    );
    expect((await restored()).left).to.deep.equal([]);
    expect(lines.at(-1)).to.equal('restored 1 of 1, 0 left');
  });

  it('takes no refusal for final from an API server that has just come back, and does not know its roles yet', async () => {
    await workload('web');
    let lists = 0;
    const kinds = watchedKinds().filter((kind) => rowOf(kind).templateMayChange).length;
    api.before = (operation) => {
      if (operation === 'patch' && lists < kinds + 4) throw new ApiError(0, 'ECONNREFUSED', 'connection refused');
      // each kind is listed once
      if (operation === 'list' && (lists += 1) > kinds && lists < kinds + 4)
        throw new ApiError(403, 'Forbidden', 'clusterrole "vault-injection-operator" not found');
    };
    expect((await restored()).left).to.deep.equal([]);
    expect(lines.at(-1)).to.equal('restored 1 of 1, 0 left');
  });

  it('waits a minute for an API server', async () => {
    await workload('web');
    const began = clock.elapsed();
    api.before = (operation) => {
      if (operation === 'list' && clock.elapsed() - began > 1_000)
        throw new ApiError(503, 'ServiceUnavailable', 'away');
    };
    admit = () => false;
    const work = restoreAll({ client: api, clock, rate: 5, say: (line) => lines.push(line) }).catch(
      (one: unknown) => one,
    );
    await clock.advance(90_000);
    expect(await work).to.be.instanceOf(ApiError);
    expect(lines.at(-1)).to.equal('waiting for the API server: away');
  });

  it('does not let one that gets no answer keep others from their turn', async () => {
    for (const name of ['a', 'b', 'c']) await workload(name);
    admit = (name) => {
      if (name === 'a') throw new ApiError(0, 'Timeout', 'no answer within 30 s');
      return true;
    };
    const { left } = await restored();
    expect(left).to.deep.equal([{ workload: 'shop/a (Deployment)', why: 'no answer within 30 s' }]);
  });

  it('tells of so many failures, and counts the rest', async () => {
    for (let index = 0; index < 60; index += 1) await workload(`web-${index}`);
    admit = () => {
      throw new ApiError(403, 'Forbidden', 'denied');
    };
    await restored(100);
    expect(lines.filter((line) => line.startsWith('not restored: '))).to.have.length(50);
    expect(lines).to.include('more failures are not told one by one');
  });
});
