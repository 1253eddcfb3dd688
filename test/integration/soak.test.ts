import { expect } from 'chai';

import { SHORT } from '../chaos/soak-pace.ts';
import { soak } from '../chaos/soak.ts';
import { BUILDING_MS } from '../support/building.ts';

// make chaos lasts an hour
const MINUTES = 0.5;

describe('two replicas, while the API server restarts, watches are cut and everything changes', function () {
  this.timeout(BUILDING_MS);

  it('store nothing bare under Fail, and have everything right in the end', async () => {
    const told: string[] = [];
    const tell = (line: string): number => told.push(line);
    const result = await soak({ minutes: MINUTES, replicas: 2, namespaces: 4, seed: 1, pace: SHORT, tell });
    const { record, restarts } = result;
    expect(record.violations, told.join('\n')).to.deep.equal([]);
    expect(result.faults).to.deep.equal([]);
    for (const what of ['apiServer', 'replica', 'cut', 'renewal'] as const) {
      expect(restarts[what], what).to.be.greaterThan(0);
    }
    for (const what of ['policy: sound', 'policy: unusable', 'workload: created', 'workload: template changed']) {
      expect(record.sum(what), what).to.be.greaterThan(0);
    }
    // both were looked at, more than once
    expect(new Set(record.samples.map(({ replica }) => replica)).size).to.be.greaterThan(2);
  });
});
