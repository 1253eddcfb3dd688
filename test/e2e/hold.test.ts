import { expect } from 'chai';

import type { Cluster } from '../integration/cluster.ts';
import { skipWithoutNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { CAUSES, HoldScene, NAMESPACE, REPLICAS, SHAPES, SIX_CAUSES, TYPO, type Outcome } from './hold-scene.ts';

/**
 * A rolling update waits for the secrets: no pod that works is replaced by one that fails (ADR 19). `make test-hold` also
 * plays rotations, and compares with pods that nothing holds.
 */
describe('a rolling update on a real kubelet', function () {
  this.timeout(240_000);
  let scene: HoldScene;
  let cluster: Cluster;

  before(async function () {
    skipWithoutNode(this);
    scene = await HoldScene.start();
    cluster = scene.cluster;
    await cluster.policy(scene.policy('held', 'held'));
    await cluster.policy(scene.policy('bare', 'bare'));
  });
  after(async () => {
    // before() may have skipped
    await (scene as HoldScene | undefined)?.stage.stop();
  });

  const refersTo = (name: string, reference: string): Promise<unknown> =>
    cluster.kubectl('set', 'env', 'deployment', name, '-n', NAMESPACE, `PASSWORD=${reference}`);

  it('loses pods where nothing holds it: without the probe', async () => {
    await scene.apply([scene.deployment('bare', 'bare')]);
    await scene.areAvailable(['bare']);
    const least = await scene.leastAvailable(() => refersTo('bare', TYPO));
    expect(least.get('bare')).to.be.below(REPLICAS);
    await scene.remove(['bare']);
  });

  for (const cause of CAUSES.filter(({ name }) => name !== 'rotated')) {
    describe(`is held by ${cause.what}, and goes on when it is over; no pod is lost`, () => {
      let outcomes: ReadonlyMap<string, Outcome>;
      before(async () => {
        outcomes = await scene.play(cause, 'held');
      });
      for (const what of Object.keys(SHAPES)) {
        it(`of a container ${what}`, () => expect(outcomes.get(what)?.least).to.equal(REPLICAS));
      }
    });
  }

  it('whose pods fail says why in their status', async () => {
    const name = 'says-why';
    await scene.apply([scene.deployment(name, 'held')]);
    await scene.areAvailable([name]);
    await refersTo(name, TYPO);
    const jsonPath = '{.items[*].status.containerStatuses[0].lastState.terminated.message}';
    const message = await eventually('a message of a pod that has failed', async () => {
      const args = ['get', 'pods', '-n', NAMESPACE, '-l', `app=${name}`, '-o', `jsonpath=${jsonPath}`];
      return (await cluster.kubectl(...args)).trim() || undefined;
    });
    expect(message).to.match(
      /^vault-env: error: PASSWORD: secret\/data\/shop\/held: the secret has no key "passwrd".* \[policy shop\/held\]$/,
    );
    await scene.remove([name]);
  });

  for (const cause of SIX_CAUSES.filter(({ name }) => name === 'role')) {
    it(`of the operator stops at the first of six when ${cause.what}: no pod is lost`, async () => {
      const { least, begun, told } = await scene.playSix(cause, 'held');
      console.log(told.join('\n').replaceAll(/^/gm, '        '));
      expect(least).to.deep.equal(Array(6).fill(REPLICAS));
      expect(begun).to.equal(1);
    });
  }
});
