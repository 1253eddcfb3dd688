import { expect } from 'chai';
import { KINDS } from '../../../../core/kinds.ts';

import { ApiError } from '../../../../kube/object-client.ts';
import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import { OutageLog } from '../../../../kube/outage-log.ts';
import { Mender } from '../../../../operator/workloads/mender.ts';
import type { Wanted } from '../../../../operator/workloads/mender.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';

function wanted(name: string, namespace = 'shop'): Wanted {
  const metadata = { name, namespace, uid: `uid-${name}`, resourceVersion: '1' };
  const rollout = {
    phase: 'Complete',
    paused: false,
    onDelete: false,
    idle: false,
    started: true,
    available: true,
    progress: '1/1/1',
  } as const;
  return {
    action: { key: `Deployment/${namespace}/${name}`, kind: 'Repair', annotations: { asked: name }, message: 'asked' },
    workload: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      traits: KINDS.Deployment,
      metadata,
      text: '{}',
      annotations: {},
      rollout,
      writers: [],
      writtenAt: 0,
    },
  };
}

describe('Mender', () => {
  let clock: ManualClock;
  let patched: { at: number; name: string; resource: Resource; changes: unknown; manager: string }[];
  let done: string[];
  let results: string[];
  let answer: (name: string) => Promise<unknown>;
  let mayAct: boolean;
  let mender: Mender;
  let log: ReturnType<typeof testLog>;

  beforeEach(() => {
    clock = new ManualClock();
    [patched, done, results, mayAct] = [[], [], [], true];
    answer = () => Promise.resolve();
    log = testLog();
    const explain = (error: unknown): string | undefined =>
      error instanceof ApiError && error.message.includes('cannot patch') ? 'the operator lacks rights' : undefined;
    const began = clock.now();
    const patch = async <T extends KubernetesObject>(
      resource: Resource,
      name: string,
      changes: Readonly<Record<string, unknown>>,
      { fieldManager: manager }: { readonly fieldManager: string },
    ): Promise<T> => {
      patched.push({ at: clock.now() - began, name, resource, changes, manager });
      await answer(name);
      return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } } as unknown as T;
    };
    mender = new Mender({
      client: { patch },
      clock,
      random: () => 1,
      logger: log.logger,
      outages: new OutageLog({ clock, logger: log.logger, explain }),
      mayAct: () => mayAct,
      onDone: ({ key }) => done.push(key),
      onResult: (kind, result) => results.push(`${kind} ${result}`),
    });
  });
  afterEach(() => mender.stop());

  const names = (): string[] => patched.map(({ name }) => name);

  it('patches only annotations, of exactly the object that was judged', async () => {
    mender.want('shop/policy', [wanted('web')]);
    await settle();
    expect(patched).to.deep.equal([
      {
        at: 0,
        name: 'web',
        resource: { ...KINDS.Deployment.resource, namespace: 'shop' },
        changes: { metadata: { uid: 'uid-web', annotations: { asked: 'web' } } },
        manager: 'vault-injection-operator-requests',
      },
    ]);
    expect(done).to.deep.equal(['Deployment/shop/web']);
    expect(results).to.deep.equal(['Repair Done']);
  });

  it('does ten at once and then five in a second', async () => {
    mender.want(
      'shop/policy',
      Array.from({ length: 20 }, (_, n) => wanted(`w${n}`)),
    );
    await settle();
    expect(patched).to.have.length(10);
    await clock.advance(1_000);
    expect(patched).to.have.length(15);
    await clock.advance(1_000);
    expect(patched).to.have.length(20);
    await clock.advance(60_000);
    expect(names().toSorted(), 'each once').to.deep.equal([...new Set(names())].toSorted());
  });

  it('lets policies take turns', async () => {
    mender.want(
      'x/policy',
      Array.from({ length: 10 }, (_, n) => wanted(`x${n}`)),
    );
    await settle(); // the burst is used up: from now on one after the other
    mender.want(
      'a/policy',
      ['a1', 'a2', 'a3'].map((name) => wanted(name)),
    );
    mender.want(
      'b/policy',
      ['b1', 'b2', 'b3'].map((name) => wanted(name)),
    );
    await clock.advance(2_000);
    expect(names().slice(10)).to.deep.equal(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
  });

  it('drops what is not wanted any more', async () => {
    mender.want(
      'shop/policy',
      Array.from({ length: 12 }, (_, n) => wanted(`w${n}`)),
    );
    await settle();
    mender.want('shop/policy', []);
    await clock.advance(60_000);
    expect(patched).to.have.length(10);
  });

  it('starts nothing once it may not', async () => {
    mender.want(
      'shop/policy',
      Array.from({ length: 12 }, (_, n) => wanted(`w${n}`)),
    );
    await settle();
    mayAct = false;
    await clock.advance(60_000);
    expect(patched).to.have.length(10);
  });

  it('says what is in progress, and does nothing else to it meanwhile', async () => {
    const held = Promise.withResolvers<undefined>();
    answer = () => held.promise;
    mender.want('shop/policy', [wanted('web')]);
    await settle();
    expect(mender.underWay('Deployment/shop/web')?.kind).to.equal('Repair');
    mender.want('shop/policy', [wanted('web')]);
    await settle();
    expect(patched).to.have.length(1);
    held.resolve(undefined);
    await settle();
    expect(patched, 'it is still wanted').to.have.length(2);
    expect(mender.underWay('Deployment/shop/web')).to.equal(undefined);
  });

  for (const [what, error, result, soonest] of [
    ['a conflict', new ApiError(409, 'Conflict', 'conflict'), 'Failed', 1_000],
    ['an API server that is away', new ApiError(0, 'Unreachable', 'away'), 'Failed', 1_000],
    ['one that asks for time', new ApiError(429, 'TooManyRequests', 'later', 30_000), 'Failed', 30_000],
    ['a refusal of an admission', new ApiError(403, 'Forbidden', 'denied'), 'Refused', 10_000],
  ] as const) {
    it(`waits after ${what} before it tries again`, async () => {
      answer = () => Promise.reject(error);
      const again = (): void => mender.want('shop/policy', [wanted('web')]);
      again();
      await settle();
      expect(results).to.deep.equal([`Repair ${result}`]);
      again(); // the plan says the same again and again
      await clock.advance(soonest - 1);
      expect(patched).to.have.length(1);
      answer = () => Promise.resolve();
      await clock.advance(1);
      expect(patched).to.have.length(2);
      expect(done).to.have.length(1);
    });
  }

  it('does not make others wait for one that failed', async () => {
    answer = (name) => (name === 'bad' ? Promise.reject(new ApiError(500, 'InternalError', 'no')) : Promise.resolve());
    mender.want('shop/policy', [wanted('bad'), wanted('good')]);
    await settle();
    expect(done).to.deep.equal(['Deployment/shop/good']);
  });

  it('says once, as an error, what somebody has to do about refusals, and when that is over', async () => {
    answer = () =>
      Promise.reject(new ApiError(403, 'Forbidden', 'User "operator" cannot patch resource "deployments"'));
    const all = ['a', 'b', 'c'].map((name) => wanted(name));
    mender.want('shop/policy', all);
    await settle();
    mender.want('shop/policy', all);
    await clock.advance(10_000);
    expect(log.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).to.deep.equal([
      'the operator lacks rights',
    ]);
    answer = () => Promise.resolve();
    mender.want('shop/policy', all);
    await clock.advance(300_000);
    expect(done).to.have.length(3);
    expect(log.lines.map(({ message }) => message)).to.include('requesting admissions works again');
  });

  it('forgets one that is gone', async () => {
    answer = () => Promise.reject(new ApiError(404, 'NotFound', 'not found'));
    mender.want('shop/policy', [wanted('web')]);
    await clock.advance(600_000);
    expect(results).to.deep.equal(['Repair Gone']);
  });

  it('finishes what is in progress before it stops, and starts nothing then', async () => {
    const held = Promise.withResolvers<undefined>();
    answer = () => held.promise;
    mender.want('shop/policy', [wanted('web')]);
    await settle();
    let isStopped = false;
    const stopping = mender.stop().then(() => (isStopped = true));
    await settle();
    expect(isStopped).to.equal(false);
    held.resolve(undefined);
    await stopping;
    mender.want('shop/policy', [wanted('other')]);
    await settle();
    expect(patched).to.have.length(1);
  });
});
