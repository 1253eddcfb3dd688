import { expect } from 'chai';

import type { Occurrence } from '../../../../kube/event-recorder.ts';
import { conditionsOf, nextStatus } from '../../../../operator/policies/conditions.ts';
import type { PolicyFacts, PolicyStatus } from '../../../../operator/policies/conditions.ts';
import { PolicyEvents } from '../../../../operator/policies/policy-events.ts';
import { ALL_WELL } from '../../../support/example-facts.ts';

const POLICY = {
  apiVersion: 'vaultinjection.dev/v1alpha1',
  kind: 'VaultInjectionPolicy',
  metadata: { namespace: 'shop', name: 'web', uid: 'u-1' },
};
const SEALED: Partial<PolicyFacts> = { vault: { status: 'False', reason: 'VaultSealed', message: 'it is sealed' } };
const UNKNOWN: Partial<PolicyFacts> = { vault: { status: 'Unknown', reason: 'VaultNotChecked', message: 'not yet' } };
const STALLED: Partial<PolicyFacts> = { stalled: { reason: 'RolloutFailed', message: 'Deployment/a: no pod came' } };
const REFUSED: Partial<PolicyFacts> = {
  verdict: { ok: false, reason: 'DurationInvalid', message: 'write a duration' },
};

describe('events on a policy', () => {
  let told: string[];
  let last: Occurrence | undefined;
  let events: PolicyEvents;

  /** Another operator that remembers nothing. */
  function restart(): void {
    events = new PolicyEvents({
      record: (event) => {
        last = event;
        told.push(`${event.type} ${event.reason}`);
      },
    });
  }

  beforeEach(() => {
    told = [];
    last = undefined;
    restart();
  });

  const status = (facts: Partial<PolicyFacts> = {}): PolicyStatus =>
    nextStatus(undefined, conditionsOf({ ...ALL_WELL, ...facts }), 3, 0);

  /** The statuses that are written one after the other, beginning with what the API server has. */
  function written(...facts: readonly (Partial<PolicyFacts> | undefined)[]): readonly string[] {
    let known = facts[0] && status(facts[0]);
    for (const next of facts.slice(1)) {
      events.written(POLICY, known, status(next));
      known = status(next);
    }
    return told;
  }

  it('tell once of a kind that no policy names, and not again after a restart', () => {
    const cronJobs = { kind: 'CronJob', count: 3, example: 'dump', message: 'no policy is for CronJobs' };
    const jobs = { ...cronJobs, kind: 'Job', count: 1 };
    const well = status();
    events.written(POLICY, well, { ...well, uncovered: [cronJobs] });
    expect(told).to.deep.equal(['Warning KindNotCovered']);
    expect(last?.message).to.equal('CronJob dump (and 2 more) refers to Vault, and no policy is for CronJobs');
    expect(last?.regarding).to.include({ kind: 'VaultInjectionPolicy', namespace: 'shop', name: 'web', uid: 'u-1' });
    restart();
    events.written(
      POLICY,
      { ...well, uncovered: [cronJobs] },
      { ...well, uncovered: [{ ...cronJobs, count: 4 }, jobs] },
    );
    expect(told).to.deep.equal(['Warning KindNotCovered', 'Warning KindNotCovered']);
    expect(last?.message).to.equal('Job dump refers to Vault, and no policy is for CronJobs');
  });

  it('tell each turn once, with the message of the condition', () => {
    expect(written({}, SEALED, SEALED, {})).to.deep.equal(['Warning VaultSealed', 'Normal VaultReachable']);
    expect(last?.message).to.equal('VaultReachable: it answers');
    expect(last?.regarding).to.deep.include({
      kind: 'VaultInjectionPolicy',
      namespace: 'shop',
      name: 'web',
      uid: 'u-1',
    });
  });

  it('tell that it is stalled, and that it is not any more', () => {
    expect(written({}, STALLED, {})).to.deep.equal(['Warning RolloutFailed', 'Normal Active']);
    expect(last?.message).to.include('not Stalled');
  });

  it('tell a fault once, although two conditions have it, and that it is fixed', () => {
    const broken = { ...REFUSED, inForce: undefined };
    expect(written({}, broken)).to.deep.equal(['Warning DurationInvalid']);
    restart();
    expect(written(broken, { programmed: false }, {}).slice(1)).to.deep.equal(['Normal Active']);
  });

  it('tell nothing of a new policy that is well, and at once what is wrong with one', () => {
    expect(written(undefined, { programmed: false, ...UNKNOWN }, {})).to.deep.equal([]);
    restart();
    expect(written(undefined, SEALED)).to.deep.equal(['Warning VaultSealed']);
  });

  it('tell nothing at a start of the operator, which knows less for a moment', () => {
    for (const before of [{}, SEALED, STALLED, { ...SEALED, ...STALLED }]) {
      restart();
      const stalled = 'stalled' in before ? STALLED : {};
      expect(
        written(before, { ...UNKNOWN, ...stalled, programmed: false }, before),
        JSON.stringify(before),
      ).to.deep.equal([]);
    }
  });

  it('tell that it is suspended, which is no problem', () => {
    expect(written({}, { verdict: { ok: true, suspended: true }, inForce: undefined })).to.deep.equal([
      'Normal Suspended',
    ]);
  });
});
