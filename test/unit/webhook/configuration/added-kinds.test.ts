import { expect } from 'chai';

import { kindsWith, PRESETS, targetNameOf } from '../../../../core/added-kinds.ts';
import type { AddedKind } from '../../../../core/added-kinds.ts';
import { buildConfiguration, entryKeyOf, entryNameOf } from '../../../../webhook/configuration/configuration.ts';
import type { ConfigurationInput, WebhookConfiguration } from '../../../../webhook/configuration/configuration.ts';
import type { Group } from '../../../../webhook/configuration/groups.ts';
import { sentBy, servedEntries } from '../../../../webhook/configuration/observed.ts';
import { kindsIn, matchConditions, rowsOf, workloadRules } from '../../../../webhook/configuration/workload-rules.ts';
import { DEFAULT_KINDS, kindPolicies, kindsIn as sentFrom } from '../../../support/kind-policies.ts';
import type { ConfigurationKeeper } from '../../../../webhook/configuration/keeper.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { pem, World } from './keeper-world.ts';

const gameServer = (group: string, resource = 'gameservers'): AddedKind => ({
  ...{ group, version: 'v1', resource, kind: 'GameServer' },
  template: 'spec.game.template',
  rollout: 'None',
});
const rollout = PRESETS.ArgoRollout ?? gameServer('absent');
const OURS = gameServer('apps.example.com');
const THEIRS = gameServer('games.example.org');
// of kinds that no policy is for by default, five are in an entry: the first three are built in
const TABLE = kindsWith([OURS, THEIRS, rollout]);
const ALL = [OURS, THEIRS, rollout].map(targetNameOf);
const GAMES = [OURS, THEIRS].map(targetNameOf);

const target = { service: { name: 'webhook', namespace: 'vault', port: 443 } };
const input: ConfigurationInput = {
  target,
  installation: 'vault',
  caBundle: pem('one'),
  sent: { ignore: new Map(), fail: sentFrom(['shop'], [...DEFAULT_KINDS, ...ALL]) },
  table: TABLE,
  labels: {},
};

describe('the webhook configuration for kinds of the setting templates', () => {
  const updates = (names: readonly string[]): string | undefined =>
    matchConditions(rowsOf(names, TABLE)).find(({ name }) => name === 'changes-what-injection-reads')?.expression;

  it('has a rule for each group and version', () => {
    expect(workloadRules(rowsOf(ALL, TABLE)).map(({ apiGroups, apiVersions, resources }) => [apiGroups, apiVersions, resources])).to.deep.equal([
      [['apps.example.com'], ['v1'], ['gameservers']],
      [['games.example.org'], ['v1'], ['gameservers']],
      [['argoproj.io'], ['v1alpha1'], ['rollouts']],
    ]); // prettier-ignore
  });

  it('tells them apart by the kind of the request, not by its name in targets', () => {
    expect(updates(['Pod', 'Rollout.argoproj.io']))
      .to.contain("request.kind.kind in ['Rollout'] && ")
      .and.not.contain('argoproj.io');
  });

  it('looks for changes where the row has the template', () => {
    expect(updates([targetNameOf(OURS)])).to.contain('object.?spec.?game.?template != oldObject.?spec.?game.?template');
  });

  it('tells two kinds of one name apart by their groups', () => {
    expect(updates(['Pod', ...GAMES])).to.contain(
      "request.kind.kind + '.' + request.kind.group in ['GameServer.apps.example.com', 'GameServer.games.example.org']",
    );
  });

  it('has entries apart for them, whose names tell groups apart', () => {
    const [first, second, third] = buildConfiguration(input).webhooks ?? [];
    expect(first?.name).to.equal('fail.vaultinjection.dev');
    expect(second?.name).to.equal('gameservers-apps-example-com-gameservers-games-example-org.fail.vaultinjection.dev');
    expect(second?.rules).to.deep.equal(workloadRules(rowsOf(GAMES, TABLE)));
    expect(third?.name).to.equal('rollouts-argoproj-io.fail.vaultinjection.dev');
  });

  it('names an entry by a hash where its kinds are too long for a name', () => {
    const long = ['a', 'b', 'c', 'd'].map((at) => gameServer(`${at.repeat(60)}.example.com`));
    const table = kindsWith(long);
    const [name, other] = ['fail', 'ignore'].map((entry) =>
      entryNameOf(entry as 'fail' | 'ignore', long.map(targetNameOf), table),
    );
    expect(name).to.match(/^kinds-[a-z0-9]+\.fail\.vaultinjection\.dev$/);
    expect(entryKeyOf(name ?? '')).to.equal('fail');
    expect(entryKeyOf(other ?? '')).to.equal('ignore');
    const fewer = long.slice(0, 3).map(targetNameOf);
    expect(entryNameOf('fail', [...fewer, 'GameServer.apps.example.com'], { ...table, ...TABLE })).not.to.equal(name);
  });

  it('never has a kind that the operator does not know', () => {
    const sent = { ignore: new Map(), fail: sentFrom(['shop'], ['Deployment', 'CloneSet.apps.kruise.io']) };
    const text = JSON.stringify(buildConfiguration({ ...input, sent }));
    expect(text).to.contain('deployments').and.not.contain('clonesets');
  });

  it('is read back by the table that it was written with', () => {
    const configuration: WebhookConfiguration = buildConfiguration(input);
    expect(sentBy(configuration, TABLE)).to.deep.equal(input.sent);
    const served = servedEntries(configuration, { target, installation: 'vault', table: TABLE }, pem('one'));
    expect(served.map(({ key, kinds, namespaces }): unknown => ({ key, kinds, namespaces }))).to.deep.equal([
      { key: 'fail', kinds: DEFAULT_KINDS, namespaces: ['shop'] },
      { key: 'fail', kinds: GAMES, namespaces: ['shop'] },
      { key: 'fail', kinds: ['Rollout.argoproj.io'], namespaces: ['shop'] },
      { key: 'probe', kinds: [], namespaces: ['vault'] },
    ]);
  });

  it('of a kind that was taken out of the setting is not what this operator serves', () => {
    const configuration = buildConfiguration(input);
    expect([...(sentBy(configuration).fail.get('shop') ?? [])]).to.deep.equal(DEFAULT_KINDS);
    const served = servedEntries(configuration, { target, installation: 'vault' }, pem('one'));
    expect(served.map(({ kinds }) => kinds.join())).to.deep.equal([DEFAULT_KINDS.join(), '']);
    expect(kindsIn(workloadRules(rowsOf(ALL, TABLE)))).to.deep.equal([]);
  });

  it('goes by group and version, not by the resource alone', () => {
    const rule = { apiGroups: ['apps.example.com'], apiVersions: ['v1'], resources: ['gameservers'] };
    expect(kindsIn([rule], TABLE)).to.deep.equal(['GameServer.apps.example.com']);
    expect(kindsIn([{ ...rule, apiVersions: ['v2'] }], TABLE)).to.deep.equal([]);
  });
});

describe('the keeper of the webhook configuration, with kinds of the setting templates', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.stop());

  it('may be sent any kind until it has seen the configuration, and then those of its rules', async () => {
    const keeper = world.keeper(undefined, undefined, undefined, { table: TABLE });
    expect(keeper.sends('Rollout.argoproj.io')).to.equal(true);
    keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment', 'Rollout.argoproj.io']));
    await world.clock.advance(1_000);
    const asked: Group['kinds'] = ['Deployment', 'Rollout.argoproj.io', 'StatefulSet', 'GameServer.apps.example.com'];
    expect(asked.map((kind) => keeper.sends(kind))).to.deep.equal([true, true, false, false]);
    expect(Object.keys(await world.entries())).to.deep.equal(['deployments.fail', 'rollouts-argoproj-io.fail']);
  });

  describe('where the API server refuses some of them', () => {
    const [first = '', second = ''] = GAMES;
    /** As config/guard does; 'all' refuses every change. */
    let refused: readonly string[] | 'all';
    let changes: number;
    let keeper: ConfigurationKeeper;

    beforeEach(() => {
      refused = [OURS.group];
      changes = 0;
      const apply = world.api.apply.bind(world.api);
      world.api.apply = async (resource, object, options) => {
        const text = JSON.stringify(object);
        if (refused === 'all' || refused.some((group) => text.includes(`"${group}"`)))
          throw new ApiError(422, 'Invalid', 'ValidatingAdmissionPolicy denied request');
        return apply(resource, object, options);
      };
      keeper = world.keeper(undefined, undefined, undefined, { table: TABLE });
      keeper.onRefused(() => (changes += 1));
    });

    const names = async (): Promise<readonly string[]> => Object.keys(await world.entries());
    const refuses = (): readonly string[] => ALL.filter((kind) => keeper.refuses(kind));

    it('writes the others, also of the same entry, and says which one is left out', async () => {
      keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment', ...GAMES]));
      await world.clock.advance(3_000);
      expect(await names()).to.deep.equal(['deployments.fail', 'gameservers-games-example-org.fail']);
      expect(refuses()).to.deep.equal([first]);
      expect(changes).to.equal(1);
      const told = world.log.lines.filter((line) => JSON.stringify(line).includes('vaultinjection.dev/templates'));
      expect(told).to.have.length(1);
      await world.clock.advance(300_000);
      expect(changes).to.equal(1);
    });

    it('goes on for policies that come later', async () => {
      keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment', first]));
      await world.clock.advance(3_000);
      keeper.setPolicies(kindPolicies([['shop', 'Fail'], ['bank', 'Fail']], ['Deployment', first])); // prettier-ignore
      await world.clock.advance(3_000);
      expect(await world.entries()).to.deep.equal({ 'deployments.fail': ['bank', 'shop'] });
      expect(keeper.programmed('bank'), 'for Deployments').to.equal(true);
    });

    it('remembers those that it has found when another one is refused', async () => {
      keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment', first]));
      await world.clock.advance(3_000);
      refused = [OURS.group, THEIRS.group];
      keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment', ...GAMES]));
      await world.clock.advance(5_000);
      expect(refuses()).to.deep.equal([first, second]);
      expect(keeper.programmed('elsewhere')).to.equal(false);
      expect(await names()).to.deep.equal(['deployments.fail']);
      const writes = world.writes().length;
      await world.clock.advance(20_000);
      expect(world.writes().length).to.equal(writes);
    });

    it('sends them within a minute of somebody allowing it', async () => {
      keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment', first]));
      await world.clock.advance(3_000);
      refused = [];
      await world.clock.advance(40_000);
      expect(refuses()).to.deep.equal([]);
      expect(changes).to.equal(2);
      expect(await names()).to.deep.equal(['deployments.fail', 'gameservers-apps-example-com.fail']);
    });

    it('leaves none out where it is not about them', async () => {
      keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Deployment', second]));
      await world.clock.advance(3_000);
      refused = 'all';
      keeper.setPolicies(kindPolicies([['bank', 'Fail']], ['Deployment', second]));
      await world.clock.advance(60_000);
      expect(refuses()).to.deep.equal([]);
      refused = [];
      await world.clock.advance(120_000);
      expect((await world.entries())['gameservers-games-example-org.fail']).to.deep.equal(['bank']);
    });

    it('never leaves out a kind that is built in', async () => {
      refused = ['batch'];
      keeper.setPolicies(kindPolicies([['shop', 'Fail']], ['Job', second]));
      await world.clock.advance(10_000);
      expect(refuses()).to.deep.equal([]);
      expect(keeper.refuses('Job')).to.equal(false);
    });
  });
});
