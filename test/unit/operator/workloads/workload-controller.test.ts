import { expect } from 'chai';

import { annotation } from '../../../../core/injection/annotations.ts';
import { podsAreThere, Scene } from '../../../support/workload-scene.ts';

const KEY = 'shop/shop-secrets';

describe('WorkloadController', () => {
  let scene: Scene;

  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.workloads.stop());

  const counts = (): unknown => scene.workloads.summaryOf(KEY)?.counts;
  const about = (changes: object): object => ({
    matched: 0,
    injected: 0,
    outdated: 0,
    missed: 0,
    denied: 0,
    failed: 0,
    excluded: 0,
    ...changes,
  });

  /** Begins, and lets it do what it does in a second. */
  async function start(): Promise<void> {
    scene.workloads.start();
    await scene.clock.advance(1_000);
  }

  it('has what was created while the webhook was down injected, only by an annotation', async () => {
    scene.rule();
    scene.webhookAnswers = false;
    await scene.create('web');
    scene.webhookAnswers = true;
    await start();
    expect(counts()).to.deep.equal(about({ matched: 1, injected: 1 }));
    expect(scene.patches).to.equal(1);
    const { annotations } = (await scene.get('web')).metadata;
    expect(annotations?.[annotation.requested]).to.match(/^Repair\/aaaaaaaaaaaa\/1\/2026-01-02T03:04:05Z$/);
    expect(scene.events.map(({ type, reason, regarding }) => [type, reason, regarding.name])).to.deep.equal([
      ['Warning', 'NotInjected', 'web'],
      ['Normal', 'Repaired', 'web'],
    ]);
    await scene.clock.advance(3_600_000);
    expect(scene.patches, 'and leaves it alone then').to.equal(1);
  });

  it('looks at a namespace as long as it has a policy', async () => {
    await start();
    scene.webhookAnswers = false;
    await scene.create('web');
    await scene.clock.advance(1_000);
    expect(await scene.states()).to.deep.equal({});
    scene.webhookAnswers = true;
    scene.rule();
    await scene.clock.advance(1_000);
    expect(await scene.states()).to.deep.equal({ Injected: 1 });
    scene.rules.delete('shop', 'shop-secrets');
    await scene.clock.advance(1_000);
    expect(await scene.states()).to.deep.equal({});
    expect(scene.workloads.summaryOf(KEY)).to.equal(undefined);
    expect(scene.summaries.at(-1)).to.equal(KEY);
  });

  it('forgets a policy that is deleted, even one without workloads beside others', async () => {
    scene.rule();
    scene.rule({ policy: { name: 'other', uid: 'uid-2', createdAt: 1 } });
    await start();
    expect(scene.workloads.summaryOf('shop/other')?.counts).to.deep.equal(about({}));
    scene.rules.delete('shop', 'other');
    await scene.clock.advance(1_000);
    expect(scene.workloads.summaryOf('shop/other')).to.equal(undefined);
    expect(counts()).to.deep.equal(about({}));
  });

  it('never looks at a namespace that is excluded', async () => {
    scene.rule({ policy: { namespace: 'kube-system' } });
    scene.webhookAnswers = false;
    await scene.create('web', { namespace: 'kube-system' });
    await start();
    expect(await scene.states()).to.deep.equal({});
    expect(scene.workloads.summaryOf('kube-system/shop-secrets')).to.equal(undefined);
    expect(scene.patches).to.equal(0);
  });

  it('touches nothing while another replica leads, nor before the namespace is programmed', async () => {
    scene.rule();
    scene.webhookAnswers = false;
    await scene.create('web');
    scene.webhookAnswers = true;
    scene.isLeader = false;
    await start();
    expect(counts(), 'but knows').to.deep.equal(about({ matched: 1, missed: 1 }));
    expect([scene.patches, scene.events.length]).to.deep.equal([0, 0]);
    scene.programmed = false;
    scene.lead(true);
    await scene.clock.advance(1_000);
    expect(scene.patches).to.equal(0);
    expect(
      scene.events.map(({ reason }) => reason),
      'who leads tells',
    ).to.deep.equal(['NotInjected']);
    scene.programmed = true;
    scene.workloads.lookAtAll(new Set(['shop']));
    await scene.clock.advance(1_000);
    expect(counts()).to.deep.equal(about({ matched: 1, injected: 1 }));
  });

  it('goes on asking, ever more rarely, while no request has an effect', async () => {
    scene.rule();
    scene.webhookAnswers = false;
    await scene.create('web');
    await start();
    expect(scene.patches).to.equal(1);
    await scene.clock.advance(300_000);
    const first = scene.patches;
    expect(first).to.be.within(3, 6);
    expect(scene.workloads.summaryOf(KEY)?.stalled?.reason).to.equal('RequestWithoutEffect');
    await scene.clock.advance(3_600_000);
    expect(scene.patches - first).to.be.within(10, 14); // once in five minutes
    scene.webhookAnswers = true;
    await scene.clock.advance(300_000);
    expect(counts()).to.deep.equal(about({ matched: 1, injected: 1 }));
    expect(scene.workloads.summaryOf(KEY)?.stalled).to.equal(undefined);
  });

  for (const [how, takesRequest] of [
    ['the template', false],
    ['the whole object, with the annotations of the operator', true],
  ] as const) {
    it(`stops after the third time that somebody reverts ${how}`, async () => {
      scene.rule();
      scene.webhookAnswers = false;
      await scene.create('web');
      const bare = await scene.get('web');
      scene.webhookAnswers = true;
      await start();
      for (let n = 0; n < 8; n++) {
        scene.edit('web', 'fighter', (object) => {
          object.spec = structuredClone(bare.spec);
          if (takesRequest) delete (object.metadata as Record<string, unknown>).annotations;
        });
        await scene.clock.advance(600_000);
      }
      expect(scene.patches).to.equal(3);
      expect(counts()).to.deep.equal(about({ matched: 1, missed: 1 }));
      const summary = scene.workloads.summaryOf(KEY);
      expect(summary?.stalled?.reason).to.equal('RepairUndone');
      expect(summary?.attention[0]).to.deep.include({ kind: 'Deployment', name: 'web', reason: 'RepairUndone' });
      const told = scene.events.map(({ reason, regarding }) => `${reason} ${regarding.kind}`);
      expect(told).to.include('RepairUndone Deployment');
    });
  }

  it('judges again what failed while the registry was down, and has it injected', async () => {
    scene.rule();
    scene.images.isAway = true;
    await scene.create('web', { container: { command: undefined, args: undefined } });
    await start();
    expect(counts()).to.deep.equal(about({ matched: 1, failed: 1 }));
    expect(scene.workloads.summaryOf(KEY)?.attention[0]).to.deep.include({
      state: 'Failed',
      reason: 'EntrypointUnknown',
    });
    expect(scene.patches).to.equal(0);
    scene.images.isAway = false;
    await scene.clock.advance(29_500);
    expect(scene.events.map(({ reason }) => reason)).to.deep.include.members(['EntrypointUnknown', 'NotInjected']);
    expect(scene.patches, 'it became Missed').to.equal(1);
    expect(counts()).to.deep.equal(about({ matched: 1, injected: 1 }));
  });

  it('believes what admission has just learned about a moved tag, and asks itself', async () => {
    scene.rule({ rollout: { strategy: 'Automatic', maxConcurrent: 3 } });
    const container = { command: undefined, args: undefined };
    for (const name of ['moved', 'other']) await scene.create(name, { container });
    await start();
    expect(counts()).to.deep.equal(about({ matched: 2, injected: 2 }));
    await scene.clock.advance(60_000);
    scene.images.entryPoint = { entrypoint: ['/moved'], cmd: [] };
    await scene.delete('moved');
    await scene.create('moved', { container });
    await scene.clock.advance(1_000);
    scene.edit('other', 'kube-controller-manager', podsAreThere);
    await scene.clock.advance(3_600_000);
    expect(counts()).to.deep.equal(about({ matched: 2, injected: 2 }));
    expect(scene.patches, 'the other one is rolled, and nothing is asked of the one that is as it should be').to.equal(
      1,
    );
    expect(scene.workloads.summaryOf(KEY)?.stalled).to.equal(undefined);
  });

  it('counts what is outdated after a change of the rule, and rolls it if the policy says so, some at a time', async () => {
    scene.rule();
    for (const name of ['a', 'b', 'c', 'd']) await scene.create(name);
    await start();
    expect(counts()).to.deep.equal(about({ matched: 4, injected: 4 }));
    scene.rule({ hash: 'bbbbbbbbbbbb', vault: { auth: { role: 'other' } } });
    await scene.clock.advance(1_000);
    expect(counts()).to.deep.equal(about({ matched: 4, outdated: 4 }));
    expect(scene.patches).to.equal(0);
    scene.rule({
      hash: 'bbbbbbbbbbbb',
      vault: { auth: { role: 'other' } },
      rollout: { strategy: 'Automatic', maxConcurrent: 3 },
    });
    await scene.clock.advance(1_000);
    await scene.clock.advance(60_000);
    expect(counts(), 'the fourth waits').to.deep.equal(about({ matched: 4, injected: 3, outdated: 1 }));
    scene.edit('b', 'kube-controller-manager', podsAreThere);
    // until the new pods may have failed: vault.timeout, and 5 s
    await scene.clock.advance(16_000);
    expect(counts()).to.deep.equal(about({ matched: 4, injected: 4 }));
    expect(scene.patches).to.equal(4);
    expect(scene.events.map(({ reason }) => reason)).to.deep.equal(Array(4).fill('RolloutStarted'));
  });

  it('says when the policy was last applied to a workload', async () => {
    scene.rule();
    await scene.create('old');
    await start();
    expect(scene.workloads.summaryOf(KEY)?.lastAppliedTime, 'nobody knows').to.equal(undefined);
    await scene.clock.advance(60_000);
    await scene.create('new');
    await scene.clock.advance(1_000);
    expect(scene.workloads.summaryOf(KEY)?.lastAppliedTime).to.equal(Date.parse('2026-01-02T03:05:06Z'));
  });

  it('reports a conflict on both policies', async () => {
    scene.rule();
    scene.rule({ policy: { name: 'other', uid: 'uid-2', createdAt: 1 } });
    await scene.create('web');
    await start();
    const conflict = { workloads: 1, example: 'Deployment/web' };
    expect(scene.workloads.summaryOf(KEY)?.conflicts).to.deep.equal([{ policy: 'other', wins: true, ...conflict }]);
    expect(scene.workloads.summaryOf('shop/other')?.conflicts).to.deep.equal([
      { policy: 'shop-secrets', wins: false, ...conflict },
    ]);
    await scene.delete('web');
    await scene.clock.advance(1_000);
    expect(scene.workloads.summaryOf('shop/other')?.conflicts).to.deep.equal([]);
  });

  describe('after a denial', () => {
    const DENIAL = { reason: 'PathNotAllowed', message: 'path secret/x is not allowed' };
    const reviewed = {
      namespace: 'shop',
      kind: 'Deployment',
      name: 'web',
      policy: { name: 'shop-secrets' },
      denial: DENIAL,
    };

    it('of its own, the leader notes it in the status of the policy and as an event', async () => {
      scene.rule();
      await start();
      scene.workloads.reviewed(reviewed);
      await scene.clock.advance(1_000);
      expect(scene.api.calls).to.include('apply shop-secrets');
      expect(scene.events).to.have.length(1);
      expect(scene.events[0]).to.deep.include({ type: 'Warning', reason: 'Denied' });
    });

    it('of a pod that has no name yet, too, and counts it', async () => {
      scene.rule();
      await start();
      const pod = { kind: 'Pod', name: 'web-5d4f8-', operation: 'CREATE', outcome: 'Denied' };
      scene.workloads.reviewed({ ...reviewed, ...pod });
      await scene.clock.advance(1_000);
      expect(scene.events.map(({ reason, message }) => `${reason} ${message}`)).to.deep.equal([
        'Denied Pod web-5d4f8-: path secret/x is not allowed',
      ]);
      expect(scene.replicas.all()[0]?.pods?.map(({ policy, denied }) => [policy, denied])).to.deep.equal([[KEY, 1]]);
    });

    it('of another replica, the leader does so too, once', async () => {
      scene.rule();
      await start();
      const denial = { policy: KEY, time: '2026-01-02T03:04:00.123Z', kind: 'Deployment', name: 'web', ...DENIAL };
      const state = { ready: true, policies: '', authorities: [], serves: '', denials: [denial] };
      for (let turn = 0; turn < 3; turn++) {
        scene.tells(state);
        await scene.clock.advance(20_000);
      }
      expect(scene.api.calls.filter((call) => call === 'apply shop-secrets')).to.have.length(1);
      expect(scene.events.map(({ message }) => message)).to.deep.equal([
        'Deployment web: path secret/x is not allowed',
      ]);
    });

    it('of its own, a replica that does not lead tells the leader, and writes nothing', async () => {
      scene.isLeader = false;
      scene.rule();
      await start();
      scene.workloads.reviewed(reviewed);
      await scene.clock.advance(1_000);
      expect(scene.api.calls).not.to.include('apply shop-secrets');
      expect(scene.events).to.deep.equal([]);
      expect(scene.replicas.all()[0]?.denials).to.have.length(1);
      scene.lead(true);
      await scene.clock.advance(1_000);
      expect(scene.api.calls, 'until it leads').to.include('apply shop-secrets');
    });
  });

  it('tells rotation what injected workloads read, and follows its wishes', async () => {
    const wanted: unknown[] = [];
    let changed: (policyKey: string) => void = () => undefined;
    let wishes: { key: string; versions: Record<string, number>; hash: string; baselineOnly: boolean }[] = [];
    scene = new Scene({
      rotation: {
        want: (policyKey, rule, uses) => wanted.push([policyKey, rule?.policy.name, uses]),
        wishesOf: () => wishes,
        onChange: (listener) => (changed = listener),
      },
    });
    scene.rule({ rotation: { strategy: 'Restart' } });
    await scene.create('web');
    await start();
    const use = { key: 'Deployment/shop/web', reads: ['secret/data/shop/db'], annotations: {} };
    expect(wanted.at(-1)).to.deep.equal([KEY, 'shop-secrets', [{ ...use, startedWith: [] }]]);
    scene.edit('web', 'kube-controller-manager', podsAreThere);
    await scene.clock.advance(10_000);
    expect(wanted.at(-1), 'they may still fail').to.deep.equal([KEY, 'shop-secrets', [{ ...use, startedWith: [] }]]);
    await scene.clock.advance(10_000);
    expect(wanted.at(-1)).to.deep.equal([KEY, 'shop-secrets', [{ ...use, startedWith: use.reads }]]);
    for (const [version, hash] of [
      [1, 'ba9876543210'],
      [2, '0123456789ab'],
    ] as const) {
      const versions = { 'secret/data/shop/db': version };
      wishes = [{ key: 'Deployment/shop/web', versions, hash, baselineOnly: version === 1 }];
      changed(KEY);
      await scene.clock.advance(1_000);
    }
    const { metadata, spec } = await scene.get('web');
    expect(metadata.annotations?.[annotation.restart]).to.equal('0123456789ab');
    expect(JSON.stringify(spec)).to.include(`"${annotation.restart}":"0123456789ab"`);
    expect(scene.events.at(-1)).to.deep.include({
      reason: 'RestartStarted',
      message: 'restarting: secret/data/shop/db has version 2 (pods started with version 1) (policy shop-secrets)',
    });
    scene.rules.delete('shop', 'shop-secrets');
    await scene.clock.advance(1_000);
    expect(wanted.at(-1)).to.deep.equal([KEY, undefined, []]);
  });
});
