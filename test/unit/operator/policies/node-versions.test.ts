import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import type { ObjectClient } from '../../../../kube/object-client.ts';
import { NodeVersions } from '../../../../operator/policies/node-versions.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';

const NODES = { group: '', version: 'v1', plural: 'nodes' };

describe('the versions of the nodes', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let versions: NodeVersions;
  let changes: number;
  let isRefused: boolean;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    isRefused = false;
    const client: Pick<ObjectClient, 'list'> = {
      list: (...args) => (isRefused ? Promise.reject(new ApiError(403, 'Forbidden', 'no')) : api.list(...args)),
    };
    versions = new NodeVersions({ client, clock, random: () => 0.5, logger: testLog().logger });
    changes = 0;
    versions.onChange(() => (changes += 1));
  });
  afterEach(() => versions.stop());

  async function join(name: string, kubeletVersion: string, operatingSystem = 'linux'): Promise<void> {
    const nodeInfo = { kubeletVersion, operatingSystem, containerRuntimeVersion: 'containerd://2.1.4' };
    await api.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name }, status: { nodeInfo } });
  }

  it('are unknown before the first look, and then decide', async () => {
    await join('a', 'v1.37.1');
    expect(versions.choice).to.equal(undefined);
    versions.start();
    await settle();
    expect(versions.choice?.delivery).to.equal('ImageVolume');
    expect(changes).to.equal(1);
  });

  it('of nodes that run another operating system do not count', async () => {
    await join('a', 'v1.37.1');
    await join('w', 'v1.30.0', 'windows');
    versions.start();
    await settle();
    expect(versions.choice?.delivery).to.equal('ImageVolume');
  });

  it('are looked up again every ten minutes, and tell only what changes', async () => {
    await join('a', 'v1.37.1');
    versions.start();
    await settle();
    await clock.advance(660_000);
    expect(changes).to.equal(1);
    await join('b', 'v1.36.4');
    await clock.advance(660_000);
    expect(versions.choice).to.deep.include({ delivery: 'InitContainer' });
    expect(changes).to.equal(2);
  });

  it('stay as they are known while nodes cannot be listed', async () => {
    await join('a', 'v1.37.1');
    versions.start();
    await settle();
    isRefused = true;
    await clock.advance(3_600_000);
    expect(versions.choice?.delivery).to.equal('ImageVolume');
    expect(changes).to.equal(1);
  });
});
