import { expect } from 'chai';

import { conditionsOf, isSameStatus, nextStatus } from '../../../../operator/policies/conditions.ts';
import { without } from '../../../../core/json.ts';
import type { PolicyFacts, PolicyStatus } from '../../../../operator/policies/conditions.ts';
import { tableOf } from '../../../../operator/policies/table.ts';
import { ALL_WELL } from '../../../support/example-facts.ts';

describe('what the table of policies shows', () => {
  const cases: readonly [string, Partial<PolicyFacts>, ReturnType<typeof tableOf>][] = [
    ['all is well', {}, { reason: 'Active', vault: 'OK' }],
    [
      'a standby',
      { vault: { status: 'True', reason: 'VaultStandby', message: '' } },
      { reason: 'Active', vault: 'Standby' },
    ],
    [
      'sealed',
      { vault: { status: 'False', reason: 'VaultSealed', message: '' } },
      { reason: 'Active', vault: 'Sealed' },
    ],
    [
      'no TLS',
      { vault: { status: 'False', reason: 'VaultTLSFailed', message: '' } },
      { reason: 'Active', vault: 'TLSFailed' },
    ],
    [
      'a CA that is missing',
      { vault: { status: 'False', reason: 'VaultCAUnusable', message: '' } },
      { reason: 'Active', vault: 'CAUnusable' },
    ],
    [
      'a CA that may not be read',
      { vault: { status: 'Unknown', reason: 'VaultNotChecked', message: '' } },
      { reason: 'Active', vault: 'NotChecked' },
    ],
    [
      'a rollout that has failed',
      { stalled: { reason: 'RolloutFailed', message: '' } },
      { reason: 'RolloutFailed', vault: 'OK' },
    ],
    ['not programmed yet', { programmed: false }, { reason: 'NotProgrammed', vault: 'OK' }],
    [
      'a policy with a fault',
      { verdict: { ok: false, reason: 'DurationInvalid', message: '' }, inForce: undefined },
      { reason: 'DurationInvalid', vault: 'OK' },
    ],
  ];
  for (const [what, facts, shown] of cases) {
    it(`tells ${what}`, () => {
      const conditions = conditionsOf({ ...ALL_WELL, ...facts });
      expect(tableOf(conditions)).to.deep.equal(shown);
      expect(nextStatus(undefined, conditions, 3, 0)).to.deep.include(shown);
    });
  }

  it('is written into a status that says the same otherwise', () => {
    const status = nextStatus(undefined, conditionsOf(ALL_WELL), 3, 0);
    const older = without({ ...status }, 'reason', 'vault') as PolicyStatus;
    expect([isSameStatus(older, status), isSameStatus(status, status)]).to.deep.equal([false, true]);
  });
});
