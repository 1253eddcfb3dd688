import { expect } from 'chai';

import { mark } from '../../../../core/marks.ts';
import { coreResource } from '../../../../core/resources.ts';
import { formatUninstalling } from '../../../../core/uninstalling.ts';
import type { Uninstalling } from '../../../../core/uninstalling.ts';
import { Departure } from '../../../../webhook/configuration/departure.ts';
import type { ConfigurationKeeper } from '../../../../webhook/configuration/keeper.ts';
import { Owner } from '../../../../webhook/configuration/owner.ts';
import { announce, removeConfiguration } from '../../../../webhook/configuration/removal.ts';
import { CONFIGURATIONS, INSTALLATION, NAMESPACES, World } from './keeper-world.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';

const SECRET = 'vault-injection-operator-webhook';
const NAME = 'vault-injection-operator';
const SECRETS = coreResource('Secret', INSTALLATION);
const ROLES = { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterroles' };
const object = (kind: string, name: string, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, ...metadata },
});

describe('an installation that is being removed', () => {
  let world: World;
  let departures: Departure[];
  beforeEach(async () => {
    world = new World();
    departures = [];
    await world.api.create(NAMESPACES, object('Namespace', INSTALLATION));
    await world.api.create(SECRETS, object('Secret', SECRET, { namespace: INSTALLATION }));
    await world.api.create(ROLES, object('ClusterRole', NAME));
  });
  afterEach(async () => {
    await world.stop();
    for (const departure of departures) await departure.stop();
  });

  const owner = (): Owner => new Owner({ client: world.api, clock: world.clock, logger: world.log.logger, name: NAME });
  function replica(mayWrite: () => boolean, isExternal = false): { keeper: ConfigurationKeeper; departure: Departure } {
    const { api: client, clock } = world;
    const { logger } = world.log;
    const departure = new Departure({
      client,
      clock,
      random: () => 0,
      logger,
      namespace: INSTALLATION,
      owner: owner(),
    });
    departures.push(departure);
    departure.start();
    const more = { owner: owner(), departure };
    const keeper = world.keeper(mayWrite, INSTALLATION, isExternal, more);
    keeper.setPolicies(kindPolicies([['shop', 'Fail']]));
    return { keeper, departure };
  }
  const exists = async (): Promise<boolean> => (await world.api.get(CONFIGURATIONS, NAME)) !== undefined;
  const deleteNamespace = (): void =>
    world.api.edit(NAMESPACES, INSTALLATION, 'kubectl', ({ metadata }) =>
      Object.assign(metadata as object, { deletionTimestamp: '2026-11-23T12:00:00Z' }),
    );
  const announced = (what: Uninstalling): Promise<void> =>
    announce({ client: world.api, clock: world.clock, installation: INSTALLATION, owner: owner() }, what);

  it('has its configuration removed by each replica that sees that the namespace is being deleted, and not again', async () => {
    replica(() => true);
    await world.clock.advance(2_000);
    expect(await exists()).to.equal(true);
    world.leading = false;
    await world.stop();
    const { keeper } = replica(() => false);
    await world.clock.advance(2_000);
    expect(keeper.isKeeping).to.equal(true);
    deleteNamespace();
    await world.clock.advance(2_000);
    expect(await exists()).to.equal(false);
    expect(keeper.isKeeping).to.equal(false);
    const before = world.writes().length;
    await world.clock.advance(120_000);
    expect(world.writes().length).to.equal(before);
  });

  it('has it removed again if another replica has written it in the meantime', async () => {
    replica(() => true);
    await world.clock.advance(2_000);
    const stored = await world.configuration();
    deleteNamespace();
    await world.clock.advance(2_000);
    await world.api.create(CONFIGURATIONS, stored);
    await world.clock.advance(2_000);
    expect(await exists()).to.equal(false);
  });

  it('is tried again if the API server does not answer', async () => {
    replica(() => true);
    await world.clock.advance(2_000);
    let failures = 3;
    world.api.before = (operation) => {
      if (operation === 'delete' && failures-- > 0) throw new Error('away');
    };
    deleteNamespace();
    await world.clock.advance(60_000);
    expect(await exists()).to.equal(false);
  });

  it('leaves the configuration of another installation', async () => {
    replica(() => true);
    await world.clock.advance(2_000);
    await world.stop();
    world.edit((_, { metadata }) =>
      Object.assign(metadata as object, { annotations: { [mark.installation]: 'elsewhere' } }),
    );
    replica(() => true);
    await world.clock.advance(2_000);
    deleteNamespace();
    await world.clock.advance(10_000);
    expect(await exists()).to.equal(true);
  });

  it('leaves the configuration that the installer keeps', async () => {
    replica(() => true);
    await world.clock.advance(2_000);
    await world.stop();
    replica(() => false, true);
    deleteNamespace();
    await world.clock.advance(10_000);
    expect(await exists()).to.equal(true);
  });

  it('writes nothing once it is announced, and not what was about to be written', async () => {
    const { keeper, departure } = replica(() => true);
    await world.clock.advance(2_000);
    // the watch is late: the mark is read before the write
    const said: unknown[] = [];
    departure.onChange(() => said.push(departure.state));
    await announced('Remove');
    await world.api.delete(CONFIGURATIONS, NAME);
    keeper.setPolicies(kindPolicies([['bank', 'Fail']]));
    const before = world.writes().length;
    await world.clock.advance(120_000);
    expect(world.writes().length).to.equal(before);
    expect(said).to.deep.equal(['Remove']);
    expect(keeper.isKeeping).to.equal(false);
    expect(keeper.isOurs, 'it still says how policies are').to.equal(true);
    expect(keeper.leaving()).to.match(/^the operator is being uninstalled: nothing is injected any more; to keep it, /);
    expect(world.log.lines.map(({ message }) => message).join('\n')).to.contain(
      `to keep it, kubectl annotate secret ${SECRET} -n ${INSTALLATION} vaultinjection.dev/uninstalling-`,
    );
  });

  it('is also told to a replica that starts meanwhile, and to none of an installation that comes later', async () => {
    await announced('Restore');
    const { departure } = replica(() => true);
    await world.clock.advance(2_000);
    expect(departure.state).to.equal('Restore');
    expect(await exists()).to.equal(false);
    await world.stop();
    await world.api.delete(ROLES, NAME);
    await world.api.create(ROLES, object('ClusterRole', NAME));
    const later = replica(() => true);
    await world.clock.advance(2_000);
    expect(later.departure.state).to.equal(undefined);
    expect(await exists()).to.equal(true);
  });

  it('stays if somebody takes the mark away', async () => {
    const { keeper, departure } = replica(() => true);
    await announced('Remove');
    await world.clock.advance(2_000);
    expect(await exists()).to.equal(false);
    await world.api.patch(
      SECRETS,
      SECRET,
      { metadata: { annotations: { [mark.uninstalling]: null } } },
      { fieldManager: 'kubectl' },
    );
    await world.clock.advance(2_000);
    expect(departure.state).to.equal(undefined);
    expect(keeper.isKeeping).to.equal(true);
    expect(await exists()).to.equal(true);
  });

  describe('by uninstall', () => {
    const lines: string[] = [];
    const removing = (): Promise<void> => {
      lines.length = 0;
      return removeConfiguration({
        client: world.api,
        clock: world.clock,
        installation: INSTALLATION,
        owner: owner(),
        say: (line) => lines.push(line),
      });
    };
    /** Lets time pass until it has ended; resolves with the error, if any. */
    async function ended(work: Promise<void>): Promise<unknown> {
      const state: { done: boolean; error: unknown } = { done: false, error: undefined };
      const watched = work.then(
        () => (state.done = true),
        (error: unknown) => Object.assign(state, { done: true, error }),
      );
      for (let seconds = 0; seconds < 60 && !state.done; seconds += 1) await world.clock.advance(1_000);
      expect(state.done, 'it ends within a minute').to.equal(true);
      await watched;
      return state.error;
    }

    it('has its configuration removed while replicas run', async () => {
      replica(() => true);
      await world.clock.advance(2_000);
      await announced('Remove');
      expect(await ended(removing())).to.equal(undefined);
      expect(lines).to.deep.equal([`removed the MutatingWebhookConfiguration ${NAME}`]);
      await world.clock.advance(120_000);
      expect(await exists()).to.equal(false);
      expect(await ended(removing()), 'again').to.equal(undefined);
      expect(lines).to.deep.equal([`there is no MutatingWebhookConfiguration ${NAME}`]);
    });

    it('also removes what a replica had begun to write before', async () => {
      const { keeper } = replica(() => true);
      await world.clock.advance(2_000);
      const stored = await world.configuration();
      await keeper.stop();
      const work = removing();
      await world.clock.advance(1_000);
      expect(await exists()).to.equal(false);
      await world.api.create(CONFIGURATIONS, stored);
      expect(await ended(work)).to.equal(undefined);
      expect(await exists()).to.equal(false);
    });

    it('says so if something writes it each time, and ends', async () => {
      const { keeper } = replica(() => true);
      await world.clock.advance(2_000);
      const stored = await world.configuration();
      await keeper.stop();
      world.api.before = async (operation) => {
        if (operation === 'list' && !(await exists())) await world.api.create(CONFIGURATIONS, stored);
      };
      expect(String(await ended(removing()))).to.match(/written again each time: stop the operator/);
    });

    it('leaves the configuration of another installation', async () => {
      replica(() => true);
      await world.clock.advance(2_000);
      await world.stop();
      world.edit((_, { metadata }) =>
        Object.assign(metadata as object, { annotations: { [mark.installation]: 'elsewhere' } }),
      );
      expect(await ended(removing())).to.equal(undefined);
      expect(lines.join()).to.contain('belongs to the installation in namespace elsewhere, and stays');
      expect(await exists()).to.equal(true);
    });

    it('takes no Secret for no replica', async () => {
      await world.api.delete(SECRETS, SECRET);
      await announced('Remove');
      expect(await ended(removing())).to.equal(undefined);
    });
  });

  it('is not what a mark of nobody says', async () => {
    const { departure } = replica(() => true);
    await world.api.patch(
      SECRETS,
      SECRET,
      { metadata: { annotations: { [mark.uninstalling]: formatUninstalling('Remove', 'uid-of-another') } } },
      { fieldManager: 'kubectl' },
    );
    await world.clock.advance(2_000);
    expect(departure.state).to.equal(undefined);
    expect(await exists()).to.equal(true);
  });
});
