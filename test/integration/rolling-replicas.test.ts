import { expect } from 'chai';

import { kill, loadTable, overload, prepareScene, roll } from '../chaos/rolling.ts';
import type { LoadResult, Scene } from '../chaos/rolling.ts';
import { BUILDING_MS } from '../support/building.ts';
import { startControlPlane } from '../support/control-plane.ts';
import type { ControlPlane } from '../support/control-plane.ts';

// make chaos does it with the default drain, for a minute each, and as fast as the machine can
const RATE = 20;

describe('two replicas that are ended while workloads are updated', function () {
  this.timeout(BUILDING_MS);
  let plane: ControlPlane;
  let scene: Scene;

  before(async () => {
    plane = await startControlPlane({ controllers: false });
    // later than the drain: the last ones are asked to come again
    scene = await prepareScene({ plane, rate: RATE, clients: 1, drain: '2s', lagMs: 3_000 });
  });
  after(async () => {
    await scene.close();
    await plane.stop();
  });

  it('lose no review while one of them has no room for more', async () => {
    const result = show(await overload(scene, 3));
    expect(messagesOf(result)).to.deep.equal([]);
    expect(result.postponed).to.be.greaterThan(0);
  });

  it('lose no review when both are replaced gracefully', async () => {
    const result = show(await roll(scene, { rolls: 1, seconds: 5 }));
    expect(messagesOf(result)).to.deep.equal([]);
    expect(result.ended).to.equal(2);
  });

  it('lose only reviews that were under way when one is killed', async () => {
    const result = show(await kill(scene, { kills: 1, everyMs: 3_000 }));
    expect(result.failures.filter(({ cause }) => cause !== 'InFlight')).to.deep.equal([]);
    expect(result.ended).to.equal(1);
  });

  function show(result: LoadResult): LoadResult {
    process.stdout.write(`${loadTable([result])}\n`);
    expect(result.updates).to.be.greaterThan(0);
    expect(result.bare).to.equal(0);
    return result;
  }
});

const messagesOf = ({ failures }: LoadResult): string[] => failures.map(({ message }) => message);
