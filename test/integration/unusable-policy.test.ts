import { expect } from 'chai';

import { playUnusablePolicy } from '../chaos/unusable-policy.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { startOperator } from '../support/operator.ts';
import type { RunningOperator } from '../support/operator.ts';

const WORKLOADS = 3;

describe('a policy that cannot be used, on a real API server', function () {
  this.timeout(180_000);
  let plane: ControlPlane;
  let operator: RunningOperator;

  before(async function () {
    this.timeout(BUILDING_MS);
    plane = await startControlPlane({ controllers: false });
    operator = await startOperator({ controlPlane: plane });
  });

  after(async () => {
    await operator.stop();
    await plane.stop();
  });

  it('lets nothing be stored without its injection, after a restart of the operator as well', async () => {
    const restart = async (withImage: boolean, meanwhile?: () => Promise<unknown>): Promise<void> => {
      await operator.stop();
      await meanwhile?.();
      operator = await startOperator({ controlPlane: plane, ...(withImage ? {} : { injectorImage: '' }) });
    };
    const acts = await playUnusablePolicy({ plane, restart, workloads: WORKLOADS });
    const told = acts.map(
      ({ act, injected, refused, bare }) => `${act}: ${injected} injected, ${refused} refused, ${bare} bare`,
    );
    const all = WORKLOADS;
    expect(told).to.deep.equal([
      `held: created, policy sound: ${all} injected, 0 refused, 0 bare`,
      `lost: created, policy sound: ${all} injected, 0 refused, 0 bare`,
      // the last good rule is known
      `held: annotated, policy unusable: ${all} injected, 0 refused, 0 bare`,
      `held: template changed, policy unusable: ${all} injected, 0 refused, 0 bare`,
      `held: created, policy unusable: ${all} injected, 0 refused, 0 bare`,
      // it is not
      `lost: annotated, policy unusable: ${all} injected, 0 refused, 0 bare`,
      `lost: template changed, policy unusable: ${all} injected, ${all} refused, 0 bare`,
      `lost: created, policy unusable: 0 injected, ${all} refused, 0 bare`,
      `held: created, policy sound again: ${all} injected, 0 refused, 0 bare`,
      `lost: created, policy sound again: ${all} injected, 0 refused, 0 bare`,
    ]);
    const refusal = acts.find(({ act }) => act === 'lost: created, policy unusable')?.message;
    expect(refusal).to.contain('policy strict cannot be used: spec.injector.image: write the image');
    expect(refusal).to.contain('correct the policy');
  });
});
