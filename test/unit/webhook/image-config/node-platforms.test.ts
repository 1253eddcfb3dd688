import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { NodePlatforms } from '../../../../webhook/image-config/node-platforms.ts';
import { parsePlatform, platformName } from '../../../../webhook/image-config/platform.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

describe('NodePlatforms', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let log: ReturnType<typeof testLog>;
  let platforms: NodePlatforms;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    log = testLog();
    platforms = withFixed('');
  });
  afterEach(() => platforms.stop());

  function withFixed(text: string): NodePlatforms {
    const fixed = [parsePlatform(text)].filter((one) => one !== undefined);
    return new NodePlatforms({ client: api, fixed, clock, random: () => 0.5, logger: log.logger });
  }

  async function join(arch: string, count: number, os = 'linux'): Promise<void> {
    const labels = { 'kubernetes.io/os': os, 'kubernetes.io/arch': arch };
    for (let n = 0; n < count; n++) {
      const metadata = { name: `${os}-${arch}-${n}`, labels };
      await api.create({ group: '', version: 'v1', plural: 'nodes' }, { apiVersion: 'v1', kind: 'Node', metadata });
    }
  }

  const names = (): string => platforms.current.map(platformName).join(' ');

  it('is what the nodes are labelled with, the most common first, without Windows', async () => {
    await join('amd64', 2);
    await join('arm64', 3);
    await join('s390x', 2);
    await join('amd64', 5, 'windows');
    await platforms.start();
    expect(names()).to.equal('linux/arm64 linux/amd64 linux/s390x');
  });

  it('asks page by page', async () => {
    await join('amd64', 400);
    await join('arm64', 401);
    await platforms.start();
    expect(names()).to.equal('linux/arm64 linux/amd64');
    expect(api.calls.filter((call) => call === 'list nodes')).to.have.length(2);
  });

  it('is looked up again every hour', async () => {
    await join('amd64', 1);
    await platforms.start();
    await join('arm64', 2);
    await clock.advance(3_599_999);
    expect(names()).to.equal('linux/amd64');
    await clock.advance(1);
    expect(names()).to.equal('linux/arm64 linux/amd64');
  });

  it('is linux/amd64 if there are no nodes, and while they cannot be listed, which is retried', async () => {
    await platforms.start();
    expect(names()).to.equal('linux/amd64');
    await platforms.stop();
    platforms = withFixed('');
    api.before = () => {
      throw new ApiError(403, 'Forbidden', 'no');
    };
    await platforms.start();
    expect(names()).to.equal('linux/amd64');
    expect(String(log.lines[0]?.fields.advice)).to.contain('config/rbac');
    api.before = () => undefined;
    await join('arm64', 1);
    await clock.advance(60_000);
    expect(names()).to.equal('linux/arm64');
  });

  it('lists no nodes if the setting says it', async () => {
    await platforms.stop();
    platforms = withFixed('linux/arm/v7');
    await join('amd64', 1);
    const before = api.calls.length;
    await platforms.start();
    await clock.advance(7_200_000);
    expect(names()).to.equal('linux/arm/v7');
    expect(api.calls).to.have.length(before);
  });
});
