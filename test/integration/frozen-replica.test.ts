import { expect } from 'chai';

import { frozenTable, playFrozen } from '../chaos/frozen.ts';
import type { Freeze } from '../chaos/frozen.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';

// make chaos tries the other two as well
const FREEZES: readonly Freeze[] = [
  { what: 'policy watch', leader: false },
  { what: 'everything', leader: true },
];

describe('one of two replicas that has lost its API server without noticing', function () {
  this.timeout(BUILDING_MS);
  let plane: ControlPlane;

  before(async () => {
    plane = await startControlPlane({ controllers: false });
  });
  after(() => plane.stop());

  it('lets nothing be stored without its injection', async () => {
    const results = await playFrozen({ plane, freezes: FREEZES, namespaces: 2, workloads: 4 });
    process.stdout.write(`${frozenTable(results)}\n`);
    for (const { created, before, widened, leader, leaderMovedAfterMs, wrongAfterThaw, refusal } of results) {
      expect(refusal).to.equal('');
      for (const { tried, injected } of [created, before, widened]) expect(injected).to.equal(tried);
      expect(created.tried).to.equal(8);
      expect(leaderMovedAfterMs !== undefined).to.equal(leader);
      expect(wrongAfterThaw).to.deep.equal([]);
    }
  });
});
