import { expect } from 'chai';

import { KEY, policy, ReconcilerScene, summaryWith } from '../../../support/reconciler-scene.ts';

describe('what the status says became of the workloads', () => {
  let scene: ReconcilerScene;
  beforeEach(async () => {
    scene = await ReconcilerScene.open();
    scene.put(policy());
    await scene.reconcile(KEY);
    await scene.clock.advance(60_000);
  });

  it('is written at most once in ten seconds, and the last state for certain', async () => {
    scene.summary = summaryWith(1);
    await scene.reconcile(KEY);
    await scene.clock.advance(4_000);
    scene.summary = summaryWith(2);
    await scene.reconcile(KEY);
    expect(scene.writtenStatus().workloads?.matched).to.equal(1);
    expect(scene.later).to.deep.equal([[KEY, 6_000]]);
    await scene.clock.advance(6_000);
    await scene.reconcile(KEY);
    expect(scene.writtenStatus().workloads?.matched).to.equal(2);
    expect(scene.applied).to.have.length(3);
  });

  it('is not written again while it is the same', async () => {
    scene.summary = summaryWith(1, {
      attention: [{ kind: 'Deployment', name: 'a', state: 'Denied', reason: 'PathNotAllowed', message: 'x' }],
      lastAppliedTime: scene.clock.now(),
    });
    await scene.reconcile(KEY);
    scene.showWritten(5);
    await scene.clock.advance(60_000);
    await scene.reconcile(KEY);
    expect([scene.applied.length, scene.later]).to.deep.equal([2, []]);
  });

  it('is written at once if a condition has another reason', async () => {
    scene.summary = summaryWith(1);
    await scene.reconcile(KEY);
    scene.summary = summaryWith(1, { stalled: { reason: 'RepairUndone', message: 'Deployment/a: undone' } });
    await scene.reconcile(KEY);
    expect([scene.condition('Stalled'), scene.condition('Ready')]).to.deep.equal(['True/RepairUndone', 'True/Active']);
    scene.summary = summaryWith(1);
    await scene.reconcile(KEY);
    expect([scene.condition('Stalled'), scene.later]).to.deep.equal(['absent', []]);
  });

  it('leaves lastDenial to the replica that denied', async () => {
    const lastDenial = { time: '2026-01-02T11:00:00Z', kind: 'Deployment', name: 'a', reason: 'Denied', message: '' };
    const status = scene.writtenStatus();
    scene.put({ ...policy({ version: 6 }), status: { ...status, lastDenial } });
    await scene.reconcile(KEY);
    expect(scene.applied).to.have.length(1);
    scene.summary = summaryWith(1);
    await scene.reconcile(KEY);
    expect(scene.writtenStatus()).to.have.property('workloads').and.to.be.an('object');
    expect(scene.writtenStatus()).not.to.have.property('lastDenial');
  });

  it('stays until it is known again, after a restart', async () => {
    scene.summary = summaryWith(3, { lastAppliedTime: scene.clock.now() });
    await scene.reconcile(KEY);
    scene.showWritten(5);
    scene.summary = undefined;
    scene.certificateReady = false;
    await scene.reconcile(KEY);
    expect(scene.writtenStatus().workloads?.matched).to.equal(3);
    expect(scene.writtenStatus().lastAppliedTime).to.equal('2026-01-02T12:01:00Z');
  });

  it('is removed with the rule', async () => {
    scene.summary = summaryWith(3);
    await scene.reconcile(KEY);
    scene.put(policy({ generation: 2, spec: { suspend: true } }));
    await scene.reconcile(KEY);
    expect(scene.writtenStatus()).not.to.have.property('workloads');
  });
});
