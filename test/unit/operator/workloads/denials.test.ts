import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { Denials } from '../../../../operator/workloads/denials.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';

const DENIED = { kind: 'Deployment', name: 'web', reason: 'PathNotAllowed', message: 'path secret/x is not allowed' };

describe('Denials', () => {
  let clock: ManualClock;
  let written: KubernetesObject[];
  let fail: ApiError | undefined;
  let denials: Denials;

  beforeEach(() => {
    clock = new ManualClock(Date.parse('2026-01-02T03:04:05.678Z'));
    written = [];
    fail = undefined;
    const apply = (_: unknown, object: KubernetesObject): Promise<never> => {
      if (fail !== undefined) return Promise.reject(fail);
      written.push(object);
      return Promise.resolve(object as never);
    };
    denials = new Denials({ client: { apply }, clock, random: () => 1, logger: testLog().logger });
  });
  afterEach(() => denials.stop());

  const names = (): unknown[] =>
    written.map(({ status }) => (status as { lastDenial: { name: string } }).lastDenial.name);

  it('writes the first one at once, and nothing but it', async () => {
    denials.note('shop/policy', DENIED);
    await clock.advance(0);
    expect(written).to.deep.equal([
      {
        apiVersion: 'vaultinjection.dev/v1alpha1',
        kind: 'VaultInjectionPolicy',
        metadata: { name: 'policy', namespace: 'shop' },
        status: { lastDenial: { time: '2026-01-02T03:04:05Z', ...DENIED } },
      },
    ]);
  });

  it('writes at most once in 10 s for a policy, then the newest', async () => {
    for (const name of ['a', 'b', 'c']) {
      denials.note('shop/policy', { ...DENIED, name });
      await clock.advance(1);
    }
    expect(names()).to.deep.equal(['a']);
    await clock.advance(10_000);
    expect(names()).to.deep.equal(['a', 'c']);
    await clock.advance(100_000);
    expect(names()).to.deep.equal(['a', 'c']);
  });

  it('writes the same again once in a minute', async () => {
    denials.note('shop/policy', DENIED);
    await clock.advance(1);
    denials.note('shop/policy', DENIED);
    await clock.advance(59_000);
    expect(written).to.have.length(1);
    await clock.advance(1_000);
    expect(written).to.have.length(2);
  });

  it('drops what the API server rejects, and retries if it is down', async () => {
    fail = new ApiError(404, 'NotFound', 'not found');
    denials.note('shop/gone', DENIED);
    await clock.advance(60_000);
    fail = new ApiError(503, 'ServiceUnavailable', 'away');
    denials.note('shop/policy', DENIED);
    await clock.advance(0);
    fail = undefined;
    await clock.advance(60_000);
    expect(written.map(({ metadata }) => metadata.name)).to.deep.equal(['policy']);
    await settle();
  });
});
