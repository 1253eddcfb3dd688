import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { parse } from 'yaml';

import { toBase64 } from '../../../../core/base64.ts';
import { WORKLOAD_KINDS } from '../../../../core/kinds.ts';
import {
  buildEntry,
  buildProbeEntry,
  CONFIGURATION_NAME,
  entryKeyOf,
} from '../../../../webhook/configuration/configuration.ts';
import type { WebhookConfiguration, WebhookEntry } from '../../../../webhook/configuration/configuration.ts';
import { lackOf, untrustedAuthorities } from '../../../../webhook/configuration/external.ts';
import type { Demand } from '../../../../webhook/configuration/external.ts';
import { pathOf, UNGUARDED } from '../../../../webhook/paths/path.ts';
import { CONFIGURATIONS, NAMESPACES, pem, World } from './keeper-world.ts';
import { DEFAULT_KINDS, kindPolicies } from '../../../support/kind-policies.ts';

const SERVICE = { name: 'vault-injection-operator', namespace: 'vault-injection-system', port: 443 };
const TARGET = { service: SERVICE };
const FAIL = { 'vaultinjection.dev/webhook': 'Fail' };

function shipped(file = 'configuration.yaml'): WebhookConfiguration {
  const url = new URL(`../../../../config/external-webhook/${file}`, import.meta.url);
  return parse(readFileSync(url, 'utf8')) as WebhookConfiguration;
}

const TOKEN = '0123456789'.repeat(4);

/** What the installer applies, with these CAs and this token copied into it, and changed. */
function installed(
  caPem: string,
  change: (entry: WebhookEntry) => object = () => ({}),
  token = TOKEN,
  more: readonly WebhookEntry[] = [],
): WebhookConfiguration {
  const configuration = shipped();
  const webhooks = [...(configuration.webhooks ?? []), ...more].map((entry): WebhookEntry => {
    const { service } = entry.clientConfig as { service: object };
    const path = pathOf(entryKeyOf(entry.name) ?? 'probe', token);
    const clientConfig = { service: { ...service, path }, caBundle: toBase64(caPem) };
    const complete = { ...entry, clientConfig };
    return { ...complete, ...change(complete) };
  });
  return { ...configuration, webhooks };
}

function withoutPath(clientConfig: unknown): object {
  const { service, caBundle } = clientConfig as { service: { path?: string }; caBundle: string };
  return { service: { ...service, path: undefined }, caBundle };
}

describe('a webhook configuration that the installer keeps', () => {
  it('is shipped with the entries that the operator would write, but for bundle, path and namespaces', () => {
    const entry = { target: TARGET, caBundle: '', token: TOKEN, kinds: DEFAULT_KINDS, namespaces: [] };
    const built = [
      buildEntry('ignore', entry),
      buildEntry('fail', entry),
      buildProbeEntry({ target: TARGET, caBundle: '', token: TOKEN, installation: 'any' }),
    ].map((one) => ({ ...one, namespaceSelector: 'any' }));
    const { metadata } = shipped();
    expect(metadata.name).to.equal(CONFIGURATION_NAME);
    expect(installed('').webhooks?.map((one) => ({ ...one, namespaceSelector: 'any' }))).to.deep.equal(built);
  });

  it('is shipped with entries for all other kinds that may be added', () => {
    const kinds = WORKLOAD_KINDS.filter((kind) => !DEFAULT_KINDS.includes(kind));
    const entry = { target: TARGET, caBundle: '', token: TOKEN, kinds, namespaces: [] };
    const built = [buildEntry('ignore', entry), buildEntry('fail', entry)];
    const added = installed('', undefined, TOKEN, shipped('other-kinds.yaml').webhooks).webhooks?.slice(3);
    expect(added?.map((one) => ({ ...one, namespaceSelector: 'any' }))).to.deep.equal(
      built.map((one) => ({ ...one, namespaceSelector: 'any' })),
    );
  });

  const lack = (demand: Partial<Demand>): string | undefined =>
    lackOf({
      ...{ observed: installed(pem('one')), target: TARGET, ownBundle: pem('one') },
      ...{ entry: 'fail', namespace: 'shop', kind: 'Job', labels: FAIL, ...demand },
    });
  const without = (name: string): WebhookConfiguration => {
    const { webhooks = [], ...rest } = installed(pem('one'));
    return { ...rest, webhooks: webhooks.filter((entry) => entry.name !== name) };
  };

  it('lacks nothing where it is as shipped, with the CA, and the namespace has the label', () => {
    expect(lack({})).to.equal(undefined);
    expect(lack({ observed: installed(pem('zero') + pem('one')) })).to.equal(undefined);
    expect(lack({ observed: installed(pem('one'), () => ({}), UNGUARDED) })).to.equal(undefined);
    expect(lack({ entry: 'ignore', labels: { 'vaultinjection.dev/webhook': 'Ignore' } })).to.equal(undefined);
  });

  it('lacks nothing for other kinds with the entries for those, and a label of their own', () => {
    const observed = installed(pem('one'), undefined, TOKEN, shipped('other-kinds.yaml').webhooks);
    const name = 'replicasets-replicationcontrollers-pods.fail.vaultinjection.dev';
    expect(lack({ observed, kind: 'Pod' })).to.contain(
      `its entry ${name} leaves out namespace shop: it selects vaultinjection.dev/webhook-other-kinds In [Fail]`,
    );
    const labels = { 'vaultinjection.dev/webhook-other-kinds': 'Fail' };
    expect(lack({ observed, kind: 'Pod', labels })).to.equal(undefined);
  });

  for (const [what, demand, says] of [
    ['does not exist', { observed: undefined }, 'there is no MutatingWebhookConfiguration vault-injection-operator'],
    ['has no such entry', { observed: without('fail.vaultinjection.dev') }, 'it has no entry fail.vaultinjection.dev'],
    ['has no CA', { observed: installed('') }, 'lacks the CA in ca.crt of the Secret vault-injection-operator-webhook'],
    ['has an earlier CA', { observed: installed(pem('zero')) }, 'lacks the CA in ca.crt'],
    [
      'has no path',
      { observed: installed(pem('one'), ({ clientConfig }) => ({ clientConfig: withoutPath(clientConfig) })) },
      'lacks the path /mutate/TOKEN/fail with the token in path-token of the Secret vault-injection-operator-webhook',
    ],
    [
      'has another path',
      { observed: installed(pem('one'), () => ({}), 'short') },
      'differs from config/external-webhook in clientConfig',
    ],
    [
      'differs',
      { observed: installed(pem('one'), () => ({ timeoutSeconds: 1, objectSelector: undefined })) },
      'differs from config/external-webhook in timeoutSeconds, objectSelector',
    ],
    ['has no rule for it', { kind: 'Pod' as const }, 'and its entry fail.vaultinjection.dev lacks pods'],
    [
      'calls something else',
      { target: { url: 'https://127.0.0.1:9443' } },
      'differs from config/external-webhook in clientConfig',
    ],
    [
      'selects other namespaces',
      { labels: {} },
      'leaves out namespace shop: it selects vaultinjection.dev/webhook In [Fail]',
    ],
    ['selects the other entry', { entry: 'ignore' as const }, 'leaves out namespace shop'],
  ] as const)
    it(`says so where it ${what}`, () => {
      expect(lack(demand)).to.contain('kept by the installer').and.contain(says);
    });

  it('knows how many CAs it does not trust yet', () => {
    expect(untrustedAuthorities(installed(pem('one')), pem('one'))).to.equal(0);
    expect(untrustedAuthorities(installed(pem('one')), pem('one') + pem('two'))).to.equal(1);
    expect(untrustedAuthorities(undefined, pem('one'))).to.equal(0);
  });
});

describe('the keeper of a webhook configuration that the installer keeps', () => {
  let world: World;
  beforeEach(() => (world = new World()));
  afterEach(() => world.stop());

  const atUrl = (entry: WebhookEntry): object => {
    const path = (entry.clientConfig as { service: { path: string } }).service.path;
    return { clientConfig: { url: `https://127.0.0.1:9443${path}`, caBundle: toBase64(pem('one')) } };
  };
  const label = (name: string, labels: Record<string, string>): Promise<unknown> =>
    world.api.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  const writes = (): string[] => world.api.calls.filter((call) => !/^(list|watch|get)/.test(call));

  it('programs what its labels select, writes nothing, and says once what is lacking', async () => {
    await label('shop', FAIL);
    await label('bank', {});
    world.api.calls.length = 0;
    const keeper = world.keeper(() => true, undefined, true);
    keeper.setPolicies(
      kindPolicies([
        ['shop', 'Fail'],
        ['bank', 'Ignore'],
      ]),
    );
    await world.clock.advance(5_000);
    expect(keeper.lackingFor('shop')).to.contain('there is no MutatingWebhookConfiguration');
    await world.api.create(CONFIGURATIONS, installed(pem('one'), atUrl));
    world.api.calls.length = 0;
    await world.clock.advance(5_000);
    expect([keeper.programmed('shop'), keeper.lackingFor('shop')]).to.deep.equal([true, undefined]);
    expect([keeper.programmed('bank'), keeper.excludedByPlatform('bank')]).to.deep.equal([false, undefined]);
    expect(keeper.lackingFor('bank')).to.contain('leaves out namespace bank');
    await world.clock.advance(120_000);
    const said = world.log.lines.filter(({ message }) => message.includes('kept by the installer'));
    expect(said.map(({ message }) => /there is no|leaves out/.exec(message)?.[0])).to.deep.equal([
      'there is no',
      'leaves out',
    ]);
    expect(writes()).to.deep.equal([]);
  });

  it('says once that paths have no token', async () => {
    await label('shop', FAIL);
    const keeper = world.keeper(() => true, undefined, true);
    keeper.setPolicies(kindPolicies([['shop', 'Fail']]));
    await world.api.create(CONFIGURATIONS, installed(pem('one'), atUrl));
    await world.clock.advance(5_000);
    const said = (): number => world.log.lines.filter(({ message }) => message.includes('have no token')).length;
    expect(said()).to.equal(0);
    world.api.edit(CONFIGURATIONS, CONFIGURATION_NAME, 'kubectl-edit', (object) => {
      object.webhooks = installed(pem('one'), atUrl, UNGUARDED).webhooks;
    });
    await world.clock.advance(120_000);
    expect([said(), keeper.programmed('shop')]).to.deep.equal([1, true]);
  });

  it('follows the labels of namespaces', async () => {
    await label('shop', {});
    await world.api.create(CONFIGURATIONS, installed(pem('one'), atUrl));
    const keeper = world.keeper(() => true, undefined, true);
    keeper.setPolicies(kindPolicies([['shop', 'Fail']]));
    await world.clock.advance(5_000);
    expect(keeper.programmed('shop')).to.equal(false);
    world.api.edit(NAMESPACES, 'shop', 'kubectl-label', (object) => (object.metadata = { name: 'shop', labels: FAIL }));
    await world.clock.advance(5_000);
    expect(keeper.programmed('shop')).to.equal(true);
  });
});
