import { expect } from 'chai';

import { LeaderElection } from '../../../kube/leader-election.ts';
import { ApiError } from '../../../kube/object-client.ts';
import type { KubernetesObject } from '../../../core/object.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryApi } from '../../support/memory-api.ts';
import { testLog } from '../../support/test-log.ts';

const LEASES = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespace: 'system' };

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseTransitions: number;
  readonly renewTime: string;
}

describe('electing a leader by a Lease', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  /** Each process has its own way to the API server, which can break, hang, or lose an answer. */
  let network: Record<string, (operation: string) => Promise<void> | void>;
  let electors: LeaderElection[];
  let mayNotLead: Set<string>;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    network = {};
    electors = [];
    mayNotLead = new Set();
  });

  afterEach(async () => {
    network = {};
    for (const elector of electors) {
      const stopped = elector.stop();
      await clock.advance(5_000);
      await stopped;
    }
  });

  function elector(identity: string): LeaderElection {
    const enter = async (operation: string): Promise<void> => await network[identity]?.(operation);
    const made = new LeaderElection({
      client: {
        get: async (...args) => (await enter('get'), await api.get(...args)),
        create: async (...args) => (await enter('create'), await api.create(...args)),
        replace: async (...args) => (await enter('replace'), await api.replace(...args)),
      },
      namespace: 'system',
      name: 'operator',
      identity,
      mayLead: () => !mayNotLead.has(identity),
      clock,
      random: () => 0.5,
      logger: testLog().logger,
    });
    electors.push(made);
    return made;
  }

  async function lease(): Promise<LeaseSpec> {
    const found = await api.get<KubernetesObject & { spec: LeaseSpec }>(LEASES, 'operator');
    if (found === undefined) throw new Error('there is no lease');
    return found.spec;
  }

  /** Moves on in small steps and looks after each who leads. */
  async function leadersOver(ms: number): Promise<string[]> {
    const seen: string[] = [];
    for (let passed = 0; passed < ms; passed += 250) {
      await clock.advance(250);
      const leading = electors.flatMap(({ isLeader }, index) => (isLeader ? [String(index)] : [])).join('+') || 'none';
      if (seen.at(-1) !== leading) seen.push(leading);
    }
    return seen;
  }

  const cut = (): Promise<void> => Promise.reject(new ApiError(0, 'Unreachable', 'cut off'));
  const hang = (): Promise<void> => new Promise(() => undefined);

  it('makes the first one leader, and tells its listeners once', async () => {
    const told: boolean[] = [];
    const first = elector('a');
    first.onChange((leading) => told.push(leading));
    expect(first.isLeader).to.equal(false);
    first.start();
    await clock.advance(60_000);
    expect([first.isLeader, told]).to.deep.equal([true, [true]]);
    expect(await lease()).to.include({ holderIdentity: 'a', leaseTransitions: 0 });
  });

  it('writes times as the API server reads them, and renews them', async () => {
    elector('a').start();
    await clock.advance(0);
    const before = (await lease()).renewTime;
    await clock.advance(5_000);
    const after = (await lease()).renewTime;
    expect(before).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Date.parse(after)).to.be.greaterThan(Date.parse(before));
  });

  it('renews what it wrote without reading it, and reads where somebody else has written', async () => {
    const asked: string[] = [];
    network.a = (operation) => void asked.push(operation);
    const first = elector('a');
    first.start();
    await clock.advance(7_000);
    expect(asked).to.deep.equal(['get', 'create', 'replace', 'replace', 'replace']);
    asked.length = 0;
    // somebody edits the lease, without taking it
    const found = await api.get(LEASES, 'operator');
    if (found === undefined) throw new Error('there is no lease');
    await api.replace(LEASES, { ...found, metadata: { ...found.metadata, labels: { edited: 'true' } } });
    await clock.advance(2_500);
    expect(asked).to.deep.equal(['replace', 'get', 'replace']);
    expect(first.isLeader).to.equal(true);
  });

  it('takes a lease that was deleted while it led', async () => {
    const first = elector('a');
    first.start();
    await clock.advance(0);
    await api.delete(LEASES, 'operator');
    await clock.advance(3_000);
    expect([first.isLeader, (await lease()).holderIdentity]).to.deep.equal([true, 'a']);
  });

  it('leaves the lease to the process that renews it', async () => {
    elector('a').start();
    await clock.advance(0);
    elector('b').start();
    expect(await leadersOver(120_000)).to.deep.equal(['0']);
  });

  for (const [what, broken] of [
    ['is cut off', cut],
    ['hangs in a request', hang],
  ] as const)
    it(`lets another one lead after one that ${what}, and never both`, async () => {
      elector('a').start();
      await clock.advance(0);
      elector('b').start();
      await clock.advance(10_000);
      network.a = broken;
      expect(await leadersOver(30_000)).to.deep.equal(['0', 'none', '1']);
      expect((await lease()).leaseTransitions).to.equal(1);
    });

  it('tells a leader that is cut off that it no longer leads, after ten seconds at most', async () => {
    const told: boolean[] = [];
    const first = elector('a');
    first.onChange((leading) => told.push(leading));
    first.start();
    await clock.advance(1_000);
    network.a = cut;
    await clock.advance(8_000);
    expect(told).to.deep.equal([true]);
    await clock.advance(1_000);
    expect(told).to.deep.equal([true, false]);
  });

  it('survives short interruptions', async () => {
    elector('a').start();
    await clock.advance(0);
    elector('b').start();
    await clock.advance(4_000);
    network.a = cut;
    await clock.advance(6_000);
    delete network.a;
    expect(await leadersOver(30_000)).to.deep.equal(['0']);
  });

  it('does not lead by a renewal whose response comes too late', async () => {
    const first = elector('a');
    first.start();
    await clock.advance(1_000);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    network.a = (operation) => (operation === 'replace' ? promise : undefined);
    await clock.advance(14_000);
    network = {};
    resolve(undefined);
    const told: boolean[] = [];
    first.onChange((leading) => told.push(leading));
    await clock.advance(0);
    expect(first.isLeader).to.equal(false);
    await clock.advance(3_000);
    expect([first.isLeader, told]).to.deep.equal([true, [true]]);
  });

  it('releases the lease when it stops: the next one need not wait until it expires', async () => {
    const first = elector('a');
    first.start();
    await clock.advance(0);
    const second = elector('b');
    second.start();
    await clock.advance(1_000);
    await first.stop();
    expect([first.isLeader, (await lease()).holderIdentity]).to.deep.equal([false, '']);
    await clock.advance(2_500);
    expect(second.isLeader).to.equal(true);
  });

  it('leaves no timer behind that would keep the process alive', async () => {
    const first = elector('a');
    first.start();
    await clock.advance(1_000);
    await first.stop();
    expect(clock.sleeping).to.deep.equal([]);
  });

  it('also releases what an attempt acquired while it was stopping, and does not lead by it', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    network.a = (operation) => (operation === 'create' ? promise : undefined);
    const told: boolean[] = [];
    const first = elector('a');
    first.onChange((leading) => told.push(leading));
    first.start();
    await clock.advance(0);
    const stopped = first.stop();
    resolve(undefined);
    await stopped;
    expect([told, (await lease()).holderIdentity]).to.deep.equal([[], '']);
  });

  it('does not release what another one holds', async () => {
    elector('a').start();
    await clock.advance(0);
    const second = elector('b');
    second.start();
    await clock.advance(1_000);
    await second.stop();
    expect((await lease()).holderIdentity).to.equal('a');
  });

  it('steps down at once when somebody has given the lease to another', async () => {
    const first = elector('a');
    first.start();
    await clock.advance(0);
    api.edit(LEASES, 'operator', 'somebody', (object) => Object.assign(object.spec as object, { holderIdentity: 'x' }));
    await clock.advance(2_500);
    expect(first.isLeader).to.equal(false);
  });

  it('makes one of two that start at the same moment the leader', async () => {
    elector('a').start();
    elector('b').start();
    expect(await leadersOver(60_000))
      .to.have.length(1)
      .and.not.include('none');
  });

  for (const [what, ms] of [
    ['back', -3_600_000],
    ['forward', 3_600_000],
  ] as const)
    it(`goes on when somebody sets the clock ${what} by an hour`, async () => {
      elector('a').start();
      await clock.advance(0);
      elector('b').start();
      await clock.advance(5_000);
      clock.set(ms);
      expect(await leadersOver(30_000)).to.deep.equal(['0']);
      network.a = cut;
      expect(await leadersOver(30_000)).to.deep.equal(['0', 'none', '1']);
    });

  it('lets another one lead when it no longer may, once nothing that it began can be under way', async () => {
    const first = elector('a');
    first.start();
    await clock.advance(0);
    elector('b').start();
    await clock.advance(5_000);
    mayNotLead.add('a');
    expect(await leadersOver(4_000)).to.deep.equal(['0', 'none']);
    expect((await lease()).holderIdentity).to.equal('a');
    expect(await leadersOver(8_000)).to.deep.equal(['none', '1']);
    mayNotLead.delete('a');
    expect(await leadersOver(30_000)).to.deep.equal(['1']);
  });

  it('leads again when it may again before it has released the lease', async () => {
    elector('a').start();
    await clock.advance(5_000);
    mayNotLead.add('a');
    await clock.advance(3_000);
    mayNotLead.delete('a');
    await clock.advance(3_000);
    expect(electors[0]?.isLeader).to.equal(true);
    expect((await lease()).leaseTransitions).to.equal(0);
  });

  it('does not stand for election while it may not lead', async () => {
    mayNotLead.add('a');
    elector('a').start();
    elector('b').start();
    expect(await leadersOver(10_000)).to.deep.equal(['1']);
  });
});
