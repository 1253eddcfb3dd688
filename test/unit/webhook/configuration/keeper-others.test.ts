import { expect } from 'chai';

import { CONFIGURATION_NAME } from '../../../../webhook/configuration/configuration.ts';
import { CONFIGURATIONS, INJECTED, NAMESPACES, World } from './keeper-world.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';

describe('the webhook configuration, with others that see it', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.stop());

  describe('of several replicas', () => {
    it('keeps in the failing entry what a new leader does not know, until its policies are fresh', async () => {
      await world.running({ shop: 'Fail', bank: 'Fail' });
      world.leading = false;
      world.fresh = false;
      const next = world.keeper(() => true);
      next.setPolicies(kindPolicies([['bank', 'Ignore'], ['zoo', 'Fail']])); // prettier-ignore
      await world.clock.advance(60_000);
      expect(await world.entries()).to.deep.equal({ fail: ['bank', 'shop', 'zoo'] });
      world.fresh = true;
      await world.clock.advance(5_000);
      expect(await world.entries(), 'shop may have injected workloads').to.deep.equal({
        ignore: ['bank', 'shop'],
        fail: ['zoo'],
      });
      await world.clock.advance(60_000);
      expect(await world.entries()).to.deep.equal({ ignore: ['bank'], fail: ['zoo'] });
    });

    it('keeps namespaces that lost policies which a new leader never saw, as long as they hold injected workloads', async () => {
      const leader = await world.running({ shop: 'Ignore' });
      const next = world.keeper(() => !world.leading);
      next.setPolicies(kindPolicies([['shop', 'Ignore']]));
      await world.clock.advance(1_000);
      leader.setPolicies(kindPolicies([['shop', 'Ignore'], ['bank', 'Fail']])); // prettier-ignore
      await world.workload('bank', INJECTED);
      await world.clock.advance(2_000);
      leader.setPolicies(kindPolicies([['shop', 'Ignore']]));
      await world.clock.advance(2_000);
      world.leading = false;
      next.wake();
      await world.clock.advance(120_000);
      expect(await world.entries()).to.deep.equal({ 'deployments.ignore': ['bank'], ignore: ['shop'] });
    });

    it('is written by the leader alone, and followed by the others', async () => {
      const leader = await world.running({ shop: 'Ignore' });
      const writes = world.writes().length;
      const follower = world.keeper(() => false);
      follower.setPolicies(kindPolicies([['shop', 'Ignore'], ['bank', 'Fail']])); // prettier-ignore
      await world.clock.advance(60_000);
      expect(world.writes()).to.have.length(writes);
      expect(follower.programmed('shop')).to.equal(true);
      leader.setPolicies(kindPolicies([['shop', 'Ignore'], ['bank', 'Fail']])); // prettier-ignore
      await world.clock.advance(2000);
      expect(follower.programmed('bank')).to.equal(true);
      expect(world.repairs).to.equal(0);
    });

    it('is looked at by a new leader at once', async () => {
      let leads = false;
      const keeper = world.keeper(() => leads);
      keeper.setPolicies(kindPolicies([['shop', 'Ignore']]));
      await world.clock.advance(10_000);
      expect(world.writes()).to.deep.equal([]);
      leads = true;
      keeper.wake();
      await world.clock.advance(500);
      expect(await world.entries()).to.deep.equal({ ignore: ['shop'] });
    });
  });

  it('takes over what an earlier version wrote, which sent two kinds of each namespace, in one write', async () => {
    await world.running({ shop: 'Fail', bank: 'Fail' });
    await world.stop();
    world.edit((entry) => {
      if (entry.name !== 'fail.vaultinjection.dev') return;
      const rule = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], scope: 'Namespaced' };
      entry.rules = [{ ...rule, resources: ['deployments', 'statefulsets'] }];
    });
    const writes = world.writes().length;
    const keeper = world.keeper();
    keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment']));
    await world.clock.advance(1_000);
    expect(world.writes().length - writes).to.equal(1);
    expect(await world.entries(), 'what no policy names drains').to.deep.equal({
      'deployments-statefulsets.ignore': ['bank'],
      'statefulsets.ignore': ['shop'],
      'deployments.fail': ['shop'],
    });
    expect(keeper.programmed('shop')).to.equal(true);
  });

  describe('that another installation keeps', () => {
    it('is left alone, and named in the log once and for readiness', async () => {
      await world.running({ shop: 'Ignore' });
      const before = await world.configuration();
      const second = world.keeper(() => true, 'elsewhere');
      second.setPolicies(kindPolicies([['bank', 'Fail']]));
      await world.clock.advance(300_000);
      expect(await world.configuration()).to.deep.equal(before);
      expect(second.isKeeping).to.equal(false);
      expect(second.programmed('bank')).to.equal(false);
      const text =
        'the webhook configuration belongs to the installation in namespace vault-injection-system: uninstall one of ' +
        'the two, or, to let this one take over, kubectl delete mutatingwebhookconfiguration vault-injection-operator';
      expect(second.foreign()).to.equal(text);
      expect(world.log.lines.filter(({ message }) => message.includes('belongs to the installation'))).to.have.length(
        1,
      );
    });

    it('is taken over when somebody deletes it, even if the other one still runs and writes it again', async () => {
      const first = await world.running({ shop: 'Ignore' });
      const second = world.keeper(() => true, 'elsewhere');
      second.setPolicies(kindPolicies([['shop', 'Ignore']]));
      await world.clock.advance(60_000);
      await world.api.delete(CONFIGURATIONS, CONFIGURATION_NAME);
      await world.clock.advance(10_000);
      expect((await world.configuration()).metadata.annotations).to.deep.equal({
        'vaultinjection.dev/installation': 'elsewhere',
      });
      expect([first.isKeeping, second.isKeeping]).to.deep.equal([false, true]);
      const writes = world.writes().length;
      await world.clock.advance(600_000);
      expect(world.writes(), 'settled').to.have.length(writes);
    });
  });

  it('takes nothing from the configuration of another installation, also while its policies are not fresh', async () => {
    await world.running({ shop: 'Fail' });
    let isLeading = false;
    const second = world.keeper(() => isLeading, 'elsewhere');
    second.setPolicies(kindPolicies([['bank', 'Fail']]));
    await world.clock.advance(60_000);
    world.fresh = false;
    await world.api.delete(CONFIGURATIONS, CONFIGURATION_NAME);
    await world.clock.advance(10_000);
    isLeading = true;
    second.wake();
    await world.clock.advance(10_000);
    expect(second.isKeeping).to.equal(true);
    expect((await world.entries()).fail).to.deep.equal(['bank']);
  });

  describe('that a platform narrows', () => {
    const add = (term: object): void =>
      world.edit((entry) => {
        const { matchExpressions } = entry.namespaceSelector as { matchExpressions: object[] };
        if (!matchExpressions.some((other) => JSON.stringify(other) === JSON.stringify(term)))
          matchExpressions.push(term);
      });
    const namespace = (name: string, labels: Record<string, string>): Promise<unknown> =>
      world.api.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });

    it('is not written again, and a namespace that it keeps out by name is not programmed', async () => {
      const keeper = await world.running({ shop: 'Ignore', bank: 'Fail' });
      const writes = world.writes().length;
      add({ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['bank', 'gke-gmp-system'] });
      await world.clock.advance(60_000);
      expect(world.writes()).to.have.length(writes);
      expect([keeper.programmed('shop'), keeper.programmed('bank')]).to.deep.equal([true, false]);
      expect(keeper.excludedByPlatform('bank')).to.equal('kubernetes.io/metadata.name NotIn [bank, gke-gmp-system]');
      expect(keeper.excludedByPlatform('shop')).to.equal(undefined);
      expect(world.api.calls, 'labels are not needed').not.to.include('watch namespaces');
    });

    it('is evaluated by the labels of namespaces where it asks for them, as they are and as they change', async () => {
      await namespace('shop', {});
      await namespace('bank', { 'control-plane': 'true' });
      const keeper = await world.running({ shop: 'Ignore', bank: 'Ignore' });
      add({ key: 'control-plane', operator: 'NotIn', values: ['true'] });
      await world.clock.advance(2000);
      expect([keeper.programmed('shop'), keeper.programmed('bank')]).to.deep.equal([true, false]);
      expect(keeper.excludedByPlatform('bank')).to.equal('control-plane NotIn [true]');
      world.api.edit(NAMESPACES, 'bank', 'kubectl', (object) => {
        (object.metadata as Record<string, unknown>).labels = {};
      });
      await world.clock.advance(2000);
      expect(keeper.excludedByPlatform('bank')).to.equal(undefined);
      expect(keeper.programmed('bank')).to.equal(true);
    });

    it('keeps the additions when a namespace comes, so that nobody has to add them again', async () => {
      const keeper = await world.running({ shop: 'Ignore' });
      add({ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['zoo'] });
      await world.clock.advance(2000);
      keeper.setPolicies(kindPolicies([['shop', 'Ignore'], ['zoo', 'Ignore']])); // prettier-ignore
      await world.clock.advance(2000);
      expect(await world.entries()).to.deep.equal({ ignore: ['shop', 'zoo'] });
      expect(keeper.excludedByPlatform('zoo')).to.equal('kubernetes.io/metadata.name NotIn [zoo]');
      expect(keeper.programmed('zoo')).to.equal(false);
    });

    it('settles with one that adds to every write', async () => {
      world.api.after = (operation) => {
        if (operation === 'apply') add({ key: 'control-plane', operator: 'NotIn', values: ['true'] });
      };
      const keeper = await world.running({ shop: 'Ignore' });
      keeper.setPolicies(kindPolicies([['shop', 'Ignore'], ['bank', 'Fail']])); // prettier-ignore
      await world.clock.advance(5000);
      const writes = world.writes().length;
      await world.clock.advance(60_000);
      expect(world.writes()).to.have.length(writes);
      expect(world.repairs).to.equal(0);
      expect([keeper.programmed('shop'), keeper.programmed('bank')]).to.deep.equal([true, true]);
    });

    it('says once which additions no namespace tells anything about, and leaves them', async () => {
      const keeper = await world.running({ shop: 'Ignore' });
      world.edit((entry) => (entry.matchConditions as object[]).push({ name: 'not-by-me', expression: 'true' }));
      await world.clock.advance(120_000);
      expect(world.repairs).to.equal(0);
      expect(keeper.programmed('shop')).to.equal(true);
      expect(keeper.narrowedByPlatform()).to.equal('matchConditions not-by-me');
      expect(world.log.lines.filter(({ message }) => message.includes('somebody has added terms'))).to.have.length(1);
    });
  });
});
