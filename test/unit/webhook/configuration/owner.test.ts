import { expect } from 'chai';

import { ApiError } from '../../../../kube/object-client.ts';
import { CLUSTER_ROLES, Owner } from '../../../../webhook/configuration/owner.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';
import { testLog } from '../../../support/test-log.ts';
import { INSTALLATION, pem, World } from './keeper-world.ts';
import { kindPolicies } from '../../../support/kind-policies.ts';

const NAME = 'acme-operator';
const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: NAME } };

async function uidOf(api: MemoryApi): Promise<string> {
  return (await api.get(CLUSTER_ROLES, NAME))?.metadata.uid ?? '';
}

async function recreated(api: MemoryApi): Promise<string> {
  await api.delete(CLUSTER_ROLES, NAME).catch(() => undefined);
  await api.create(CLUSTER_ROLES, role);
  return uidOf(api);
}

describe('the owner of the webhook configuration', () => {
  let world: World;
  const owned = (): Owner => new Owner({ client: world.api, clock: world.clock, logger: world.log.logger, name: NAME });
  const keeping = (policies: Record<string, 'Ignore' | 'Fail'> = { shop: 'Fail' }) => {
    const keeper = world.keeper(undefined, INSTALLATION, false, { owner: owned() });
    keeper.setPolicies(kindPolicies(Object.entries(policies)));
    return keeper;
  };
  const references = async (): Promise<unknown> => (await world.configuration()).metadata.ownerReferences;
  const reference = (uid: string): object => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    name: NAME,
    uid,
    blockOwnerDeletion: false,
  });

  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.stop());

  it('is the ClusterRole, which nothing waits for and nobody controls', async () => {
    const uid = await recreated(world.api);
    keeping();
    await world.clock.advance(1_000);
    expect(await references()).to.deep.equal([reference(uid)]);
  });

  it('is added to a configuration of a version that had none', async () => {
    await world.running({ shop: 'Fail' });
    expect(await references()).to.equal(undefined);
    await world.stop();
    const uid = await recreated(world.api);
    keeping();
    await world.clock.advance(2_000);
    expect(await references()).to.deep.equal([reference(uid)]);
    expect(await world.entries()).to.deep.equal({ fail: ['shop'] });
  });

  it('is nobody where there is no such ClusterRole, which is said once', async () => {
    const keeper = keeping();
    await world.clock.advance(1_000);
    keeper.setPolicies(kindPolicies([['bank', 'Ignore']]));
    await world.clock.advance(300_000);
    expect(await references()).to.equal(undefined);
    const said = world.log.lines.filter(({ message }) => message.includes('no such ClusterRole'));
    expect(said.map(({ level }) => level)).to.deep.equal(['info']);
  });

  it('is repaired within a minute if it was created again, before anything is written for another reason', async () => {
    await recreated(world.api);
    keeping();
    await world.clock.advance(1_000);
    const uid = await recreated(world.api);
    await world.clock.advance(130_000);
    expect(await references()).to.deep.equal([reference(uid)]);
  });

  it('is looked at before each write: what is written again after it was created again has the new one', async () => {
    await recreated(world.api);
    const keeper = keeping();
    await world.clock.advance(1_000);
    const uid = await recreated(world.api);
    keeper.setPolicies(kindPolicies([['bank', 'Ignore']]));
    await world.clock.advance(2_000);
    expect(await references()).to.deep.equal([reference(uid)]);
  });

  it('once gone, nothing is written any more: the installation is being removed', async () => {
    await recreated(world.api);
    keeping();
    await world.clock.advance(1_000);
    await world.api.delete(CLUSTER_ROLES, NAME);
    // the garbage collector
    await world.api.delete(
      { group: 'admissionregistration.k8s.io', version: 'v1', plural: 'mutatingwebhookconfigurations' },
      'vault-injection-operator',
    );
    const before = world.writes().length;
    await world.clock.advance(300_000);
    expect(world.writes().length).to.equal(before);
    expect(world.log.lines.map(({ message }) => message).join('\n')).to.contain('this installation is being removed');
    // and everything is again as before a few seconds after it is back
    await world.api.create(CLUSTER_ROLES, role);
    await world.clock.advance(6_000);
    expect(await references()).to.deep.equal([reference(await uidOf(world.api))]);
  });

  it('was there for a process that finds a configuration of it: gone is gone', async () => {
    await recreated(world.api);
    keeping();
    await world.clock.advance(1_000);
    await world.stop();
    await world.api.delete(CLUSTER_ROLES, NAME);
    const before = world.writes().length;
    keeping({ bank: 'Fail' });
    await world.clock.advance(61_000);
    expect(world.writes().length).to.equal(before);
    // rights that are applied again count within seconds
    await world.api.create(CLUSTER_ROLES, role);
    await world.clock.advance(7_000);
    expect(await references()).to.deep.equal([reference(await uidOf(world.api))]);
  });

  it('stays as it is where RBAC does not allow to look, which is said once at warn', async () => {
    const uid = await recreated(world.api);
    keeping();
    await world.clock.advance(1_000);
    await world.stop();
    world.api.before = (operation, name) => {
      if (operation === 'get' && name === NAME) throw new ApiError(403, 'Forbidden', 'no');
    };
    const keeper = keeping({ bank: 'Fail' });
    await world.clock.advance(2_000);
    world.bundle = pem('two');
    keeper.wake();
    await world.clock.advance(130_000);
    expect(await references()).to.deep.equal([reference(uid)]);
    expect((await world.entries()).fail).to.deep.equal(['bank']);
    const said = world.log.lines.filter(({ message }) => message.includes('may not read its ClusterRole'));
    expect(said.map(({ level }) => level)).to.deep.equal(['warn']);
  });

  it('is not guessed while the API server does not answer: nothing is written then', async () => {
    world.api.before = (operation, name) => {
      if (operation === 'get' && name === NAME) throw new ApiError(500, 'InternalError', 'oh');
    };
    keeping();
    await world.clock.advance(10_000);
    expect(world.writes()).to.deep.equal([]);
    world.api.before = () => undefined;
    const uid = await recreated(world.api);
    await world.clock.advance(120_000);
    expect(await references()).to.deep.equal([reference(uid)]);
  });

  it('is not asked about by those that do not write', async () => {
    await recreated(world.api);
    world.leading = false;
    keeping();
    await world.clock.advance(120_000);
    expect(world.api.calls.filter((call) => call === `get ${NAME}`)).to.have.length(1);
  });

  it('is remembered for a minute', async () => {
    const clock = new ManualClock();
    const api = new MemoryApi();
    const first = await recreated(api);
    const owner = new Owner({ client: api, clock, logger: testLog().logger, name: NAME });
    const uid = async (isFresh: boolean): Promise<unknown> => {
      const ownership = await owner.look(undefined, isFresh);
      return ownership.is === 'Present' ? ownership.reference.uid : ownership.is;
    };
    expect(await uid(false)).to.equal(first);
    const second = await recreated(api);
    expect(await uid(false)).to.equal(first);
    await clock.advance(60_000);
    expect(await uid(false)).to.equal(second);
    const third = await recreated(api);
    expect(await uid(true)).to.equal(third);
  });
});
