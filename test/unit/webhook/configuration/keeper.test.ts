import { expect } from 'chai';
import { ApiError } from '../../../../kube/object-client.ts';
import { CONFIGURATION_NAME } from '../../../../webhook/configuration/configuration.ts';
import { RECHECK_MS, SETTLE_MS } from '../../../../webhook/configuration/namespaces.ts';
import { IN_FORCE_MS } from '../../../../webhook/configuration/published.ts';
import { CONFIGURATIONS, deployments, INJECTED, MARK, pem, World } from './keeper-world.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';

describe('the keeper of the webhook configuration', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.stop());

  it('writes nothing before the policies and the bundle are known', async () => {
    world.bundle = '';
    const keeper = world.keeper();
    await world.clock.advance(5000);
    keeper.setPolicies(kindPolicies([['shop', 'Ignore']]));
    await world.clock.advance(5000);
    expect(world.writes()).to.deep.equal([]);
    world.bundle = pem('one');
    keeper.wake();
    await world.clock.advance(1000);
    expect(await world.entries()).to.deep.equal({ ignore: ['shop'] });
  });

  it('keeps the object without entries for workloads if there are no policies', async () => {
    await world.running({});
    expect(await world.entries()).to.deep.equal({});
    expect((await world.configuration()).webhooks?.map(({ name }) => name)).to.deep.equal(['probe.vaultinjection.dev']);
  });

  it('writes once for a burst of policies, and not again when nothing changed', async () => {
    const keeper = await world.running({ a: 'Ignore' });
    const before = world.writes().length;
    for (let index = 0; index < 100; index++) {
      keeper.setPolicies(
        kindPolicies(Array.from({ length: index + 2 }, (_, at) => [`namespace-${at}`, 'Ignore'] as const)),
      );
    }
    await world.clock.advance(500);
    expect(world.writes().length - before).to.be.within(1, 2);
    expect((await world.entries()).ignore).to.have.length(102);
    await world.clock.advance(600_000);
    expect(world.writes().length - before).to.be.within(1, 3); // namespace `a` drains meanwhile
    expect(world.repairs).to.equal(0);
  });

  it('says programmed a quarter of a second after the configuration is seen, and then reports it', async () => {
    const keeper = await world.running({ shop: 'Ignore' });
    keeper.setPolicies(kindPolicies([['shop', 'Ignore'], ['bank', 'Fail']])); // prettier-ignore
    let toldAt: number | undefined;
    let writtenAt = 0;
    world.api.after = () => (writtenAt = world.clock.now());
    world.published.onChange(() => (toldAt ??= keeper.programmed('bank') ? world.clock.now() : undefined));
    expect(keeper.programmed('bank')).to.equal(false);
    await world.clock.advance(2000);
    expect(keeper.programmed('bank')).to.equal(true);
    expect((toldAt ?? 0) - writtenAt).to.be.within(IN_FORCE_MS, IN_FORCE_MS + 100);
    expect(keeper.programmed('elsewhere')).to.equal(false);
  });

  it('says programmed again when a namespace moves to the other entry', async () => {
    const keeper = await world.running({ shop: 'Ignore' });
    expect(keeper.programmed('shop')).to.equal(true);
    keeper.setPolicies(kindPolicies([['shop', 'Fail']]));
    expect(keeper.programmed('shop')).to.equal(false);
    await world.clock.advance(1000);
    expect(keeper.programmed('shop')).to.equal(true);
    expect(await world.entries()).to.deep.equal({ fail: ['shop'] });
  });

  it('never says so about the namespaces of the cluster', async () => {
    const keeper = await world.running({ 'kube-system': 'Fail' });
    expect(keeper.excludes('kube-system')).to.equal(true);
    expect(keeper.programmed('kube-system')).to.equal(false);
    expect(await world.entries()).to.deep.equal({});
  });

  it('publishes the bundle whenever it changes, and namespaces stay programmed', async () => {
    const keeper = await world.running({ shop: 'Ignore', bank: 'Fail' });
    expect(world.published.since(pem('two'))).to.equal(undefined);
    world.bundle = pem('one') + pem('two');
    keeper.wake();
    expect(keeper.programmed('shop')).to.equal(true);
    await world.clock.advance(1000);
    expect(world.published.bundle).to.equal(world.bundle);
    expect(world.published.since(pem('two'))).to.be.within(world.clock.elapsed() - 1000, world.clock.elapsed());
    world.bundle = pem('two') + pem('one');
    keeper.wake();
    expect(keeper.programmed('shop')).to.equal(true);
    await world.clock.advance(1000);
    world.bundle = pem('three');
    keeper.wake();
    await world.clock.advance(150);
    expect(keeper.programmed('shop'), 'trust in the new authority is young').to.equal(false);
    await world.clock.advance(1000);
    expect(keeper.programmed('shop')).to.equal(true);
  });

  it('counts everything as published if no entry distrusts it', () => {
    const metadata = { name: CONFIGURATION_NAME };
    world.published.look({ apiVersion: 'v1', kind: 'C', metadata, webhooks: [] }, world.bundle);
    expect(world.published.since(pem('one'))).to.be.a('number');
    expect(world.published.bundle).to.equal(undefined);
  });

  it('writes at once, and then at most once in a second while namespaces keep arriving', async () => {
    const keeper = await world.running({ first: 'Ignore' });
    await world.clock.advance(5000);
    const before = world.writes().length;
    const policies = new Map<string, 'Ignore' | 'Fail'>([['first', 'Ignore']]);
    for (let index = 0; index < 300; index++) {
      policies.set(`namespace-${index}`, 'Ignore');
      keeper.setPolicies(kindPolicies(policies));
      await world.clock.advance(100);
    }
    expect(world.writes().length - before).to.be.within(29, 31);
    await world.clock.advance(1500);
    expect((await world.entries()).ignore).to.have.length(301);
  });

  it('tells which namespaces changed, and that all did where it is the bundle', async () => {
    const keeper = await world.running({ shop: 'Ignore' });
    const told: (readonly string[] | undefined)[] = [];
    world.published.onChange((namespaces) => told.push(namespaces && [...namespaces]));
    keeper.setPolicies(kindPolicies([['shop', 'Ignore'], ['bank', 'Fail']])); // prettier-ignore
    await world.clock.advance(2000);
    expect(told).to.deep.equal([['bank']]);
    world.bundle = pem('one') + pem('two');
    keeper.wake();
    await world.clock.advance(2000);
    expect(told.at(-1)).to.equal(undefined);
  });

  it('counts seconds that pass, not those by which somebody sets the clock', async () => {
    const keeper = await world.running({ shop: 'Ignore' });
    const since = world.published.since(pem('one')) ?? 0;
    world.clock.set(-3600_000);
    keeper.setPolicies(kindPolicies([['shop', 'Ignore'], ['bank', 'Ignore']])); // prettier-ignore
    await world.clock.advance(2000);
    expect(keeper.programmed('bank')).to.equal(true);
    expect(world.published.since(pem('one'))).to.equal(since);
  });

  describe('before API servers have reached the webhook', () => {
    beforeEach(() => {
      world.reached = false;
    });

    it('puts no namespace into the Fail entry, and does not call it programmed', async () => {
      const keeper = await world.running({ shop: 'Fail', bank: 'Ignore' });
      expect(await world.entries()).to.deep.equal({ ignore: ['bank', 'shop'] });
      expect([keeper.programmed('shop'), keeper.programmed('bank')]).to.deep.equal([false, true]);
      world.reached = true;
      keeper.wake();
      await world.clock.advance(2000);
      expect(await world.entries()).to.deep.equal({ ignore: ['bank'], fail: ['shop'] });
      expect(keeper.programmed('shop')).to.equal(true);
    });

    it('leaves a Fail entry where it is, also after a restart', async () => {
      world.reached = true;
      const first = await world.running({ shop: 'Fail' });
      await first.stop();
      world.reached = false;
      const keeper = await world.running({ shop: 'Fail', bank: 'Fail' });
      await world.clock.advance(1000);
      expect(await world.entries()).to.deep.equal({ fail: ['bank', 'shop'] });
      expect(keeper.programmed('bank')).to.equal(true);
    });
  });

  describe('repairs', () => {
    const damage: readonly [string, (world: World) => void | Promise<void>][] = [
      ['a deleted object', (at) => at.api.delete(CONFIGURATIONS, CONFIGURATION_NAME)],
      ['a changed timeout', (at) => at.edit((entry) => (entry.timeoutSeconds = 30))],
      ['a changed selector', (at) => at.edit((entry) => (entry.namespaceSelector = {}))],
      [
        'another bundle',
        (at) =>
          at.edit((entry) => (entry.clientConfig = { url: 'https://127.0.0.1:9443/mutate/ignore', caBundle: 'AAAA' })),
      ],
      ['removed entries', (at) => at.edit((_, object) => (object.webhooks = []))],
      [
        'a field added to an entry, which nobody can take back by apply',
        (at) => at.edit((entry) => (entry.somethingNew = true)),
      ],
    ];
    for (const [what, spoil] of damage) {
      it(`${what} within a second`, async () => {
        const keeper = await world.running({ shop: 'Ignore' });
        const { webhooks } = await world.configuration();
        await spoil(world);
        await world.clock.advance(150);
        expect(keeper.programmed('shop')).to.equal(false);
        await world.clock.advance(850);
        expect((await world.configuration()).webhooks).to.deep.equal(webhooks);
        expect(keeper.programmed('shop')).to.equal(true);
        expect(world.repairs).to.equal(1);
      });
    }

    it('the mark of the installation, without which another one could not tell', async () => {
      await world.running({ shop: 'Ignore' });
      world.edit((_, object) => ((object.metadata as Record<string, unknown>).annotations = {}));
      await world.clock.advance(1000);
      expect((await world.configuration()).metadata.annotations).to.deep.equal(MARK);
    });

    it('says in the log who it was', async () => {
      await world.running({ shop: 'Ignore' });
      world.edit((entry) => (entry.timeoutSeconds = 30));
      await world.clock.advance(1000);
      const line = world.log.lines.find(({ message }) => message === 'the webhook configuration was changed');
      expect(line?.fields).to.include({ by: 'kubectl-edit' });
    });

    it('leaves the entries of others alone', async () => {
      await world.running({ shop: 'Ignore' });
      world.edit((_, object) => (object.webhooks = [{ name: 'other.example.com' }, ...(object.webhooks as object[])]));
      await world.clock.advance(1000);
      expect(world.repairs).to.equal(0);
      world.edit((entry) => (entry.timeoutSeconds = 30));
      await world.clock.advance(1000);
      const names = (await world.configuration()).webhooks?.map(({ name }) => name);
      expect(names).to.have.members(['other.example.com', 'ignore.vaultinjection.dev', 'probe.vaultinjection.dev']);
    });

    it('do not become a storm when somebody else repairs against them', async () => {
      await world.running({ shop: 'Ignore' });
      for (let at = 0; at < 600; at++) {
        world.edit((entry) => (entry.timeoutSeconds = 30));
        await world.clock.advance(100);
      }
      expect(world.repairs).to.be.within(5, 12); // of 600: five at once, then one in ten seconds
    });
  });

  it('survives an API server that is down, without forgetting', async () => {
    const keeper = await world.running({ shop: 'Ignore' });
    world.api.before = () => {
      throw new ApiError(0, 'ConnectionRefused', 'no API server');
    };
    keeper.setPolicies(kindPolicies([['bank', 'Fail']]));
    await world.clock.advance(60_000);
    expect(keeper.programmed('bank')).to.equal(false);
    world.api.before = () => undefined;
    await world.clock.advance(31_000);
    expect(keeper.programmed('bank')).to.equal(true);
  });

  describe('a namespace without policies', () => {
    it('stays while it has an injected workload, and is dropped soon after that was restored', async () => {
      const keeper = await world.running({ shop: 'Fail' });
      await world.workload('shop', INJECTED);
      keeper.setPolicies(new Map());
      await world.clock.advance(3600_000);
      expect(await world.entries()).to.deep.equal({ 'deployments.ignore': ['shop'] });
      await world.api.delete(deployments('shop'), 'web');
      await world.workload('shop', {});
      keeper.noteRestored('shop');
      await world.clock.advance(4000);
      expect(await world.entries()).to.deep.equal({});
    });

    it('is dropped when what was last admitted is stored and nothing is injected', async () => {
      const keeper = await world.running({ shop: 'Ignore' });
      await world.workload('shop', {});
      keeper.setPolicies(new Map());
      await world.clock.advance(SETTLE_MS - 1000);
      expect(await world.entries()).to.deep.equal({ ignore: ['shop'] });
      await world.clock.advance(6000);
      expect(await world.entries()).to.deep.equal({});
    });

    it('stays while its content is unknown', async () => {
      const keeper = await world.running({ shop: 'Ignore' });
      world.api.before = (operation, name) => {
        if (operation === 'list' && name === 'statefulsets') throw new ApiError(403, 'Forbidden', 'forbidden');
      };
      keeper.setPolicies(new Map());
      await world.clock.advance(10 * RECHECK_MS);
      expect(await world.entries()).to.deep.equal({ 'statefulsets.ignore': ['shop'] });
    });

    it('is found again after a restart, in the configuration', async () => {
      const first = await world.running({ shop: 'Fail', bank: 'Ignore' });
      await world.workload('shop', INJECTED);
      await first.stop();
      const second = await world.running({ bank: 'Ignore' });
      expect(await world.entries()).to.deep.equal({ ignore: ['bank', 'shop'] });
      await world.clock.advance(3600_000);
      expect(await world.entries()).to.deep.equal({ ignore: ['bank'], 'deployments.ignore': ['shop'] });
      expect(second.programmed('bank')).to.equal(true);
    });

    it('is found in the cluster when the configuration is gone', async () => {
      await world.workload('shop', INJECTED);
      await world.workload('elsewhere', {});
      await world.running({ bank: 'Ignore' });
      await world.clock.advance(5000);
      expect(await world.entries()).to.deep.equal({ ignore: ['bank'], 'deployments.ignore': ['shop'] });
    });
  });

  it('publishes another path without a moment in which a namespace does not count as programmed', async () => {
    const keeper = await world.running({ shop: 'Fail' });
    expect(keeper.programmed('shop')).to.equal(true);
    world.token = 'a'.repeat(40);
    keeper.wake();
    for (let turn = 0; turn < 20; turn++) {
      await world.clock.advance(100);
      expect(keeper.programmed('shop')).to.equal(true);
    }
    const { webhooks = [] } = await world.configuration();
    const urls = webhooks.map(({ clientConfig }) => (clientConfig as { url: string }).url);
    expect(urls.every((url) => url.includes(`/mutate/${'a'.repeat(40)}/`))).to.equal(true);
    expect(world.published.tokens).to.deep.equal(['a'.repeat(40)]);
  });

  it('writes nothing before it knows which path to publish', async () => {
    world.token = undefined;
    await world.running({ shop: 'Fail' });
    expect(world.writes()).to.deep.equal([]);
  });
});
