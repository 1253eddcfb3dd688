import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { KEY, policy, ReconcilerScene } from '../../../support/reconciler-scene.ts';

describe('the trace of reconciling a policy', () => {
  let scene: ReconcilerScene;
  beforeEach(async () => {
    scene = await ReconcilerScene.open();
    scene.put(policy());
  });

  it('says which policy, and has the write of its status as a child', async () => {
    await scene.reconcile(KEY);
    const [reconcile, write, ...more] = scene.tracer.spans;
    expect(more).to.deep.equal([]);
    expect(reconcile).to.include({ name: 'reconcile policy', errorType: undefined, ends: 1 });
    expect(reconcile?.attributes).to.deep.equal({
      'k8s.namespace.name': 'shop',
      'vaultinjection.policy.name': 'web',
    });
    expect(write).to.include({ name: 'write status', parent: reconcile, errorType: undefined, ends: 1 });
  });

  it('fails as the write does, by a word of the API server', async () => {
    scene.refusal = new ApiError(409, 'Conflict', 'canary');
    await scene.reconcile(KEY).catch(() => undefined);
    expect(scene.tracer.spans.map(({ errorType, ends }) => [errorType, ends])).to.deep.equal([
      ['Conflict', 1],
      ['Conflict', 1],
    ]);
    expect(JSON.stringify(scene.tracer.spans.map(({ attributes }) => attributes))).not.to.contain('canary');
  });
});
