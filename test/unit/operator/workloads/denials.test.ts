import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import type { KubernetesObject, Resource } from '../../../../core/object.ts';
import type { PublishedDenial } from '../../../../operator/replicas/state.ts';
import { Denials } from '../../../../operator/workloads/denials.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';

const DENIED = { kind: 'Deployment', name: 'web', reason: 'PathNotAllowed', message: 'path secret/x is not allowed' };
const POLICIES: Resource = {
  group: 'vaultinjection.dev',
  version: 'v1alpha1',
  plural: 'vaultinjectionpolicies',
  namespace: 'shop',
};

describe('Denials', () => {
  let clock: ManualClock;
  let api: MemoryApi;
  let isLeader: boolean;
  let told: PublishedDenial[];
  let reported: string[];
  let denials: Denials;

  beforeEach(async () => {
    clock = new ManualClock(Date.parse('2026-01-02T03:04:05.678Z'));
    api = new MemoryApi();
    isLeader = true;
    told = [];
    reported = [];
    denials = another();
    await api.create(POLICIES, {
      apiVersion: 'vaultinjection.dev/v1alpha1',
      kind: 'VaultInjectionPolicy',
      metadata: { name: 'policy', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' },
    });
  });
  afterEach(() => denials.stop());

  function another(): Denials {
    return new Denials({
      client: api,
      isLeader: () => isLeader,
      denied: () => told,
      onWritten: ({ name }) => reported.push(name),
      clock,
      random: () => 1,
      logger: testLog().logger,
    });
  }

  /** A replica tells of a denial now. */
  function tell(name: string, policy = 'shop/policy'): void {
    const time = new Date(clock.now()).toISOString();
    told = [...told.filter((one) => one.policy !== policy), { policy, time, ...DENIED, name }];
    denials.look();
  }

  const applied = (): number => api.calls.filter((call) => call.startsWith('apply')).length;
  const lastDenial = async (): Promise<unknown> =>
    ((await api.get<KubernetesObject>(POLICIES, 'policy'))?.status as { lastDenial?: unknown } | undefined)?.lastDenial;

  it('writes the first one at once', async () => {
    tell('web');
    await clock.advance(0);
    expect(await lastDenial()).to.deep.equal({ time: '2026-01-02T03:04:05Z', ...DENIED });
    expect(reported).to.deep.equal(['web']);
  });

  it('writes at most once in 10 s for a policy, then the newest', async () => {
    for (const name of ['a', 'b', 'c']) {
      tell(name);
      await clock.advance(1_000);
    }
    expect(reported).to.deep.equal(['a']);
    await clock.advance(10_000);
    expect(reported).to.deep.equal(['a', 'c']);
    await clock.advance(100_000);
    expect(reported).to.deep.equal(['a', 'c']);
  });

  it('writes nothing again, however often it is told', async () => {
    tell('web');
    for (let turn = 0; turn < 5; turn++) {
      await clock.advance(20_000);
      denials.look();
    }
    expect(applied()).to.equal(1);
  });

  it('repeats nothing that another leader has written', async () => {
    tell('web');
    await clock.advance(0);
    await denials.stop();
    denials = another();
    denials.look();
    await clock.advance(20_000);
    expect([applied(), reported]).to.deep.equal([1, ['web']]);
    tell('api');
    await clock.advance(20_000);
    expect(reported).to.deep.equal(['web', 'api']);
  });

  it('writes nothing while another replica leads, and asks what that one has written when it leads again', async () => {
    tell('web');
    await clock.advance(0);
    isLeader = false;
    tell('api');
    await clock.advance(20_000);
    expect(reported).to.deep.equal(['web']);
    api.edit(POLICIES, 'policy', 'another', (policy) => {
      policy.status = { lastDenial: { ...DENIED, name: 'api', time: '2026-01-02T03:04:05Z' } };
    });
    isLeader = true;
    denials.look();
    await clock.advance(20_000);
    expect(applied()).to.equal(1);
  });

  it('drops what was denied by an older policy of the same name', async () => {
    const time = '2025-12-31T23:59:59.000Z';
    told = [{ policy: 'shop/policy', time, ...DENIED }];
    denials.look();
    await clock.advance(20_000);
    expect(applied()).to.equal(0);
  });

  it('drops what the API server rejects, and retries if it is down', async () => {
    let error: ApiError | undefined = new ApiError(404, 'NotFound', 'not found');
    api.before = (operation) => {
      if (operation === 'apply' && error !== undefined) throw error;
    };
    tell('web', 'shop/gone');
    await clock.advance(60_000);
    error = new ApiError(503, 'ServiceUnavailable', 'away');
    tell('web');
    await clock.advance(0);
    error = undefined;
    await clock.advance(60_000);
    expect(reported).to.deep.equal(['web']);
    expect(await lastDenial()).not.to.equal(undefined);
    await settle();
  });
});
