import { expect } from 'chai';

import { KINDS } from '../../../../core/kinds.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { restoreAll } from '../../../../operator/workloads/restoration.ts';
import type { Left } from '../../../../operator/workloads/restoration.ts';
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
  async function restored(rate = 5): Promise<{ readonly left: readonly Left[]; readonly seconds: number }> {
    const state: { left?: readonly Left[] } = {};
    const work = restoreAll({ client: api, clock, rate, say: (line) => lines.push(line) }).then((left) => {
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
});
