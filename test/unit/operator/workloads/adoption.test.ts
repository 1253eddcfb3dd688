import { expect } from 'chai';

import { annotation } from '../../../../core/injection/annotations.ts';
import { noPodWorks, podsAreThere, Scene } from '../../../support/workload-scene.ts';

const KEY = 'shop/shop-secrets';
const BEFORE = '2026-01-01T00:00:00Z';
const SINCE = Date.parse('2026-01-02T00:00:00Z');
const AFTER = '2026-01-02T01:00:00Z';
const HOUR = 3_600_000;

/** Until new pods may have failed: vault.timeout of the rule, and 5 s. */
const SETTLE_MS = 15_000;

describe('what is done about workloads without a slot for each, and with one', () => {
  let scene: Scene;

  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.workloads.stop());

  const injected = (): number | undefined => scene.workloads.summaryOf(KEY)?.counts.injected;
  const attention = (): readonly string[] =>
    (scene.workloads.summaryOf(KEY)?.attention ?? []).map(({ name, reason }) => `${name} ${reason}`);

  async function start(): Promise<void> {
    scene.workloads.start();
    await scene.clock.advance(2_500);
  }

  /** Stored without the webhook, with pods that work. */
  async function bare(name: string, changes: Parameters<Scene['create']>[1] = {}): Promise<void> {
    scene.webhookAnswers = false;
    await scene.create(name, changes);
    scene.edit(name, 'kube-controller-manager', podsAreThere, changes.namespace);
    scene.webhookAnswers = true;
  }

  describe('that ran before the policy', () => {
    beforeEach(async () => {
      await bare('old', { createdAt: BEFORE });
    });

    it('counts them apart from those that are missed by accident, until they are injected', async () => {
      await bare('new', { createdAt: AFTER });
      scene.rule({ since: SINCE });
      scene.isLeader = false;
      await start();
      const figures = async (): Promise<string[]> =>
        (await scene.register.metrics()).match(/^vault_injection_workloads(_not_adopted|\{state="Missed"\}) \d+$/gm) ??
        [];
      expect(await figures()).to.deep.equal([
        'vault_injection_workloads{state="Missed"} 2',
        'vault_injection_workloads_not_adopted 1',
      ]);
      scene.edit('old', 'kubectl-edit', ({ metadata }) => {
        (metadata as { annotations?: object }).annotations = { [annotation.inject]: 'false' };
      });
      await scene.clock.advance(1_000);
      expect(await figures()).to.deep.equal([
        'vault_injection_workloads{state="Missed"} 1',
        'vault_injection_workloads_not_adopted 0',
      ]);
    });

    it('lists them with the command that injects them, and repairs what came later', async () => {
      await bare('new', { createdAt: AFTER });
      scene.rule({ since: SINCE });
      await start();
      await scene.clock.advance(24 * HOUR);
      expect([scene.patches, injected()]).to.deep.equal([1, 1]);
      const [one] = scene.workloads.summaryOf(KEY)?.attention ?? [];
      expect(one).to.deep.include({ name: 'old', state: 'Missed', reason: 'NotAdopted' });
      expect(one?.message).to.include('kubectl annotate deployment old -n shop vaultinjection.dev/apply=now');
      await scene.restart();
      await scene.clock.advance(HOUR);
      expect([scene.patches, attention()], 'nor after a restart').to.deep.equal([1, ['old NotAdopted']]);
      scene.edit('old', 'kubectl-annotate', ({ metadata }) => {
        (metadata as { annotations?: object }).annotations = { [annotation.apply]: 'now' };
      });
      await scene.clock.advance(1_000);
      expect(injected()).to.equal(2);
      expect(scene.events.at(-1)).to.deep.include({ reason: 'Adopted' });
    });

    it('rolls them under Automatic, as many at once as the policy says', async () => {
      await bare('older', { createdAt: BEFORE });
      scene.podsFollowAtOnce = false;
      scene.rule({ since: SINCE, rollout: { strategy: 'Automatic', maxConcurrent: 1 } });
      await start();
      await scene.clock.advance(60_000);
      expect([scene.patches, scene.rolling]).to.deep.equal([1, ['shop/old']]);
      scene.edit('old', 'kube-controller-manager', podsAreThere);
      await scene.clock.advance(SETTLE_MS - 1_000);
      expect([scene.patches, injected()], 'while its pods may still fail').to.deep.equal([1, 1]);
      await scene.clock.advance(2_000);
      expect([scene.patches, injected()]).to.deep.equal([2, 2]);
    });

    it('brings those up to date at once that have no pod that works', async () => {
      scene.edit('old', 'kube-controller-manager', noPodWorks);
      scene.rule({ since: SINCE });
      await start();
      await scene.clock.advance(10_000);
      expect([scene.patches, injected()]).to.deep.equal([1, 1]);
      expect(scene.events.at(-1)).to.deep.include({ reason: 'Repaired' });
    });

    it('repairs one that was injected before: something of it is left, or the operator has asked', async () => {
      scene.edit('old', 'someone', ({ metadata }) => {
        const requested = 'Repair/cccccccccccc/1/2025-12-01T00:00:00Z';
        (metadata as { annotations?: object }).annotations = { [annotation.requested]: requested };
      });
      scene.rule({ since: SINCE });
      await scene.create('traced');
      scene.edit('traced', 'someone', (object) => {
        const { template } = object.spec as { template: { spec: { containers: { command: unknown }[] } } };
        for (const container of template.spec.containers) container.command = ['/app'];
      });
      await start();
      expect(injected()).to.equal(2);
    });
  });

  it('never replaces pods whose programs would not start, and says what to correct', async () => {
    const env = [{ name: 'PASSWORD', value: 'vault:secret/data/very-secret' }];
    await bare('missed', { createdAt: AFTER, container: { env } });
    scene.rule({ since: SINCE, rollout: { strategy: 'Automatic', maxConcurrent: 5 } });
    await scene.create('outdated', { container: { env } });
    scene.rule({ since: SINCE, hash: 'bbbbbbbbbbbb', vault: { auth: { role: 'other' } } });
    await start();
    await scene.clock.advance(24 * HOUR);
    expect([scene.patches, attention()]).to.deep.equal([
      0,
      ['missed ReferenceMalformed', 'outdated ReferenceMalformed'],
    ]);
    const text = JSON.stringify(scene.workloads.summaryOf(KEY)?.attention);
    expect(text).to.include('container app, PASSWORD').and.not.to.include('very-secret');
  });

  it('asks within hours for what is outdated without effect, says so, and goes on there after a restart', async () => {
    scene.rule({ rollout: { strategy: 'Automatic', maxConcurrent: 1 } });
    await scene.create('web');
    scene.edit('web', 'kube-controller-manager', podsAreThere);
    scene.rule({ hash: 'bbbbbbbbbbbb', rollout: { strategy: 'Automatic', maxConcurrent: 1 } });
    scene.webhookAnswers = false;
    await start();
    await scene.clock.advance(24 * HOUR);
    expect(scene.patches).to.be.within(8, 11);
    expect(scene.workloads.summaryOf(KEY)?.stalled?.reason).to.equal('RequestWithoutEffect');
    const before = scene.patches;
    await scene.restart();
    await scene.clock.advance(5 * HOUR);
    expect(scene.patches - before).to.be.within(0, 1);
    expect(scene.workloads.summaryOf(KEY)?.stalled?.reason).to.equal('RequestWithoutEffect');
    scene.rule({ hash: 'cccccccccccc', rollout: { strategy: 'Automatic', maxConcurrent: 1 } });
    const later = scene.patches;
    await scene.clock.advance(60_000);
    expect(scene.patches - later, 'another rule starts over').to.equal(3);
  });

  it('goes on repairing when the clock is set back by an hour', async () => {
    scene.rule();
    scene.webhookAnswers = false;
    await scene.create('web');
    await start();
    scene.clock.set(-HOUR);
    const before = scene.patches;
    await scene.clock.advance(600_000);
    expect(scene.patches - before).to.be.at.least(4);
    await scene.restart();
    scene.webhookAnswers = true;
    await scene.clock.advance(60_000);
    expect(injected()).to.equal(1);
  });

  it('rolls no more in the whole cluster than maxRollouts, and every policy has its turn', async () => {
    scene = new Scene({ maxRollouts: 2 });
    const namespaces = ['a', 'b', 'c'];
    const automatic = { strategy: 'Automatic', maxConcurrent: 100 } as const;
    const rules = (hash: string): void => {
      for (const namespace of namespaces) scene.rule({ policy: { namespace }, hash, rollout: automatic });
    };
    rules('aaaaaaaaaaaa');
    for (const namespace of namespaces) {
      for (const name of ['x', 'y', 'z']) {
        await scene.create(name, { namespace });
        scene.edit(name, 'kube-controller-manager', podsAreThere, namespace);
      }
    }
    await start();
    scene.podsFollowAtOnce = false;
    rules('bbbbbbbbbbbb');
    const turns: string[] = [];
    for (let round = 0; round < 9; round++) {
      await scene.clock.advance(SETTLE_MS + 2_000);
      expect(scene.rolling, `round ${round}`).to.have.length(Math.min(2, 9 - round));
      const [namespace = '', name = ''] = scene.rolling.shift()?.split('/') ?? [];
      turns.push(namespace);
      scene.edit(name, 'kube-controller-manager', podsAreThere, namespace);
    }
    for (const namespace of namespaces) {
      expect(turns.slice(0, 5), 'has its turn early').to.include(namespace);
      expect(scene.workloads.summaryOf(`${namespace}/shop-secrets`)?.counts.injected).to.equal(3);
    }
  });
});
