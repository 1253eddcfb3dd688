import { expect } from 'chai';
import { Registry as Register } from 'prom-client';

import { CONDITION_TYPES } from '../../../../core/condition-types.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import { createOperatorMetrics } from '../../../../operator/metrics.ts';
import { countConditions } from '../../../../operator/policies/condition-counts.ts';
import { VERSION } from '../../../../operator/version.ts';

/** A policy whose status has these conditions. */
function policy(conditions?: Readonly<Record<string, string>>): KubernetesObject {
  const list = Object.entries(conditions ?? {}).map(([type, status]) => ({ type, status, reason: 'X', message: '' }));
  const status = conditions === undefined ? undefined : { conditions: list };
  return { apiVersion: 'v1', kind: 'VaultInjectionPolicy', metadata: { name: 'shop' }, status };
}

describe('how many policies have each condition', () => {
  const counted = (policies: readonly KubernetesObject[]): Record<string, number> =>
    Object.fromEntries(
      countConditions(policies)
        .filter(({ count }) => count > 0)
        .map(({ condition, status, count }) => [`${condition} ${status}`, count]),
    );

  it('is counted by what their statuses say; those without a status count nowhere', () => {
    expect(
      counted([
        policy({ Ready: 'True', VaultReachable: 'Unknown' }),
        policy({ Ready: 'True', VaultReachable: 'False' }),
        policy({ Ready: 'False', Stalled: 'True' }),
        policy({}),
        policy(),
      ]),
    ).to.deep.equal({
      'Ready True': 2,
      'Ready False': 1,
      'VaultReachable Unknown': 1,
      'VaultReachable False': 1,
      'Stalled True': 1,
    });
  });

  it('has every combination, also while there are no policies, and none that somebody makes up', () => {
    expect(countConditions([])).to.have.length(3 * CONDITION_TYPES.length);
    const madeUp = policy({ Ready: 'Maybe', Mine: 'True', __proto__: 'True' });
    expect(countConditions([madeUp])).to.deep.equal(countConditions([]));
    const odd = { ...policy(), status: { conditions: [{ type: 7 }, {}] } } as unknown as KubernetesObject;
    expect(counted([odd])).to.deep.equal({});
  });

  it('is shown with the version of the operator and the ages of its copies', async () => {
    const register = new Register();
    let ages = new Map([['deployments', 1_500]]);
    createOperatorMetrics(register, () => ages).showConditions(() => countConditions([policy({ Ready: 'True' })]));
    const text = await register.metrics();
    expect(text).to.contain(`vault_injection_build_info{version="${VERSION}"} 1\n`);
    expect(text).to.contain('vault_injection_policy_condition{condition="Ready",status="True"} 1\n');
    expect(text).to.contain('vault_injection_policy_condition{condition="Stalled",status="True"} 0\n');
    expect(text).to.contain('vault_injection_watch_age_seconds{resource="deployments"} 1.5\n');
    ages = new Map();
    expect(await register.metrics(), 'watched no more').not.to.contain('resource="deployments"');
  });
});
