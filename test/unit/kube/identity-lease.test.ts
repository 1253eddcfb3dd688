import { expect } from 'chai';

import { IdentityLeases } from '../../../kube/identity-lease.ts';
import { ApiError } from '../../../kube/object-client.ts';
import type { KubernetesObject } from '../../../core/object.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { testLog } from '../../support/test-log.ts';

const LEASES = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespace: 'system' };

describe('a Lease for each process', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let log: ReturnType<typeof testLog>;
  /** Whether a process is cut off from the API server. */
  let isCut: Record<string, boolean>;
  let running: IdentityLeases[];

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    log = testLog();
    isCut = {};
    running = [];
  });

  afterEach(async () => {
    isCut = {};
    const stopped = Promise.all(running.map((each) => each.stop()));
    await clock.advance(60_000);
    await stopped;
  });

  function leases(identity: string): IdentityLeases {
    const way = <T>(call: () => Promise<T>): Promise<T> =>
      isCut[identity] === true ? Promise.reject(new ApiError(0, 'Unreachable', 'cut off')) : call();
    const made = new IdentityLeases({
      client: {
        list: (...args) => way(() => api.list(...args)),
        watch: (...args) => api.watch(...args),
        create: (...args) => way(() => api.create(...args)),
        patch: (...args) => way(() => api.patch(...args)),
        delete: (...args) => way(() => api.delete(...args)),
      },
      namespace: 'system',
      identity,
      namePrefix: 'operator-replica-',
      label: 'example.com/replica',
      annotation: 'example.com/state',
      labels: { app: 'operator' },
      fieldManager: 'operator',
      clock,
      random: () => 0.5,
      logger: log.logger,
    });
    running.push(made);
    return made;
  }

  async function start(identity: string, document = `"${identity}"`): Promise<IdentityLeases> {
    const made = leases(identity);
    made.publish(document);
    await made.start(5_000);
    await clock.advance(10);
    return made;
  }

  const stored = async (): Promise<KubernetesObject[]> => [...(await api.list(LEASES)).items];
  const writes = (): string[] => api.calls.filter((call) => /^(create|patch|replace|get) /.test(call));

  it('says that the process is alive, and what it publishes', async () => {
    await start('one');
    const [lease] = await stored();
    expect(lease?.metadata.name).to.match(/^operator-replica-[0-9a-f]{12}$/);
    expect(lease?.metadata).to.deep.include({
      namespace: 'system',
      labels: { app: 'operator', 'example.com/replica': 'true' },
      annotations: { 'example.com/state': '"one"' },
    });
    expect(lease?.spec).to.deep.include({ holderIdentity: 'one', leaseDurationSeconds: 30 });
  });

  it('is renewed six times a minute by one request each, and reads nothing', async () => {
    await start('one');
    await clock.advance(5_000);
    api.calls.length = 0;
    await clock.advance(60_000);
    expect(writes()).to.have.length(6);
    expect(new Set(writes().map((call) => call.split(' ')[0]))).to.deep.equal(new Set(['patch']));
  });

  it('shows a change to the others at once, and a burst of changes as one', async () => {
    const one = await start('one');
    const two = await start('two');
    await clock.advance(5_000);
    let told = 0;
    two.onChange(() => {
      told += 1;
    });
    one.publish('"new"');
    await clock.advance(0);
    expect(two.others()).to.deep.equal([{ identity: 'one', document: '"new"' }]);
    expect(told).to.equal(1);
    api.calls.length = 0;
    for (let change = 0; change < 50; change++) {
      one.publish(String(change));
      await clock.advance(100);
    }
    expect(writes().length).to.be.within(4, 6);
    await clock.advance(1_000);
    expect(two.others()).to.deep.equal([{ identity: 'one', document: '49' }]);
  });

  it('tells nobody of a renewal that changes nothing', async () => {
    await start('one');
    const two = await start('two');
    let told = 0;
    two.onChange(() => {
      told += 1;
    });
    await clock.advance(120_000);
    expect(told).to.equal(0);
  });

  it('takes a process for gone whose Lease has not changed for 30 s, whatever the clocks say', async () => {
    await start('one');
    const two = await start('two');
    isCut.one = true;
    clock.set(-3_600_000);
    await clock.advance(25_000);
    expect(two.others()).to.have.length(1);
    await clock.advance(20_000);
    expect(two.others()).to.deep.equal([]);
    isCut.one = false;
    await clock.advance(15_000);
    expect(two.others()).to.have.length(1);
  });

  it('takes nobody for gone because it could not look itself', async () => {
    await start('one');
    const two = await start('two');
    let fewest = 1;
    two.onChange(() => {
      fewest = Math.min(fewest, two.others().length);
    });
    api.before = () => {
      throw new ApiError(0, 'Unreachable', 'the API server is down');
    };
    await clock.advance(300_000);
    api.before = () => undefined;
    await clock.advance(60_000);
    expect(fewest).to.equal(1);
    expect(two.others()).to.have.length(1);
  });

  it('warns once of an outage, and goes on after it', async () => {
    await start('one');
    isCut.one = true;
    await clock.advance(300_000);
    isCut.one = false;
    await clock.advance(15_000);
    const told = log.lines.filter(({ message }) => message.includes('the Lease of this replica'));
    expect(told.filter(({ level }) => level === 'warn')).to.have.length(1);
    expect(told.at(-1)).to.include({ level: 'info' });
  });

  it('writes its Lease again when somebody has deleted it', async () => {
    await start('one');
    const [lease] = await stored();
    await api.delete(LEASES, lease?.metadata.name ?? '');
    await clock.advance(12_000);
    expect(await stored()).to.have.length(1);
  });

  it('is found although the response to its creation was lost', async () => {
    const one = leases('one');
    api.after = (operation) => {
      api.after = () => undefined;
      if (operation === 'create') throw new ApiError(0, 'Timeout', 'the response was lost');
    };
    one.publish('"one"');
    await one.start(0);
    await clock.advance(15_000);
    const [lease, ...others] = await stored();
    expect([lease?.metadata.annotations, others]).to.deep.equal([{ 'example.com/state': '"one"' }, []]);
  });

  it('goes with its process', async () => {
    const one = await start('one');
    const two = await start('two');
    await one.stop();
    await clock.advance(0);
    expect(two.others()).to.deep.equal([]);
    expect(await stored()).to.have.length(1);
  });

  it('does not come back by a write that took longer than its process waited for it', async () => {
    const one = await start('one');
    const { promise, resolve } = Promise.withResolvers<undefined>();
    api.before = (operation) => (operation === 'patch' ? promise : undefined);
    one.publish('"new"');
    await clock.advance(1_000);
    const stopped = one.stop();
    await clock.advance(5_000);
    await stopped;
    resolve(undefined);
    await clock.advance(5_000);
    expect(await stored()).to.deep.equal([]);
  });

  it('of a process that died is deleted by another one, after five minutes', async () => {
    await start('one');
    const two = await start('two');
    isCut.one = true;
    await clock.advance(300_000);
    await two.sweep();
    expect(await stored()).to.have.length(2);
    await clock.advance(60_000);
    await two.sweep();
    expect(await stored()).to.have.length(1);
  });

  it('does not keep a process from starting whose API server is down', async () => {
    isCut.one = true;
    const one = leases('one');
    const started = one.start(5_000);
    await clock.advance(5_000);
    await started;
    expect(one.synced).to.equal(false);
  });

  it('tells when it has seen that there are no others, however late', async () => {
    let isReadable = false;
    api.before = (operation) => {
      if (operation === 'list' && !isReadable) throw new ApiError(403, 'Forbidden', 'may not list leases');
    };
    const one = leases('one');
    const told: boolean[] = [];
    one.onChange(() => told.push(one.synced));
    const started = one.start(5_000);
    await clock.advance(5_000);
    await started;
    expect(told).to.deep.equal([]);
    isReadable = true;
    await clock.advance(60_000);
    expect(told).to.deep.equal([true]);
  });
});
