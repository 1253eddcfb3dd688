import { readFileSync } from 'node:fs';

import { expect } from 'chai';
import { parse } from 'yaml';

import { ApiClient } from '../../../../kube/api-client.ts';
import type { PooledKubeConfig } from '../../../../kube/kube-config.ts';
import { compilePolicy } from '../../../../core/policy/compile.ts';
import type { PolicyStatus } from '../../../../operator/policies/conditions.ts';
import { PolicyController } from '../../../../operator/policies/policy-controller.ts';
import { RuleCache } from '../../../../operator/policies/rule-cache.ts';
import { policyValidator } from '../../../../core/policy/schema.ts';
import type { WorkloadSummary } from '../../../../core/workload/summary.ts';
import { defaults } from '../../../support/example-policy.ts';
import { ListWatchServer } from '../../../support/list-watch-server.ts';
import { eventually, hurriedClock } from '../../../support/manual-clock.ts';
import { testLog } from '../../../support/test-log.ts';

const CRD: unknown = parse(
  readFileSync(new URL('../../../../crds/vaultinjectionpolicies.yaml', import.meta.url), 'utf8'),
);

const KIND = { apiVersion: 'vaultinjection.dev/v1alpha1', kind: 'VaultInjectionPolicy' };
const policy = (generation: number, timeout = '10s'): Record<string, unknown> => ({
  ...KIND,
  metadata: { generation },
  spec: { vault: { address: 'https://vault.example:8200', timeout } },
});

describe('PolicyController, with the real CRD, on a list-watch fake', () => {
  let server: ListWatchServer;
  let kubeConfig: PooledKubeConfig;
  let rules: RuleCache;
  let told: (readonly string[])[];
  let programmed: boolean;
  let leading: boolean;
  let summary: WorkloadSummary | undefined;
  let whenLoaded: number[][];
  let operator: PolicyController;

  beforeEach(async () => {
    server = await ListWatchServer.start();
    kubeConfig = server.kubeConfig();
    rules = new RuleCache();
    told = [];
    programmed = true;
    leading = true;
    summary = undefined;
    whenLoaded = [];
    operator = new PolicyController({
      client: new ApiClient({ kubeConfig, userAgent: 'test/1' }),
      kubeConfig,
      clock: hurriedClock,
      random: () => 0.5,
      logger: testLog().logger,
      validate: policyValidator(CRD),
      compile: (each) => compilePolicy(each, { ...defaults, injectorImage: 'injector' }),
      rules,
      onNamespaces: (policies) => void told.push([...policies.keys()]),
      onLoaded: () => void whenLoaded.push(generations()),
      webhook: {
        programmed: () => programmed,
        excludes: () => false,
        excludedByPlatform: () => undefined,
        lackingFor: () => undefined,
        narrowedByPlatform: () => undefined,
      },
      certificateReady: () => true,
      webhookReachable: () => ({ status: 'True', reason: 'WebhookReached', message: 'reached' }),
      isLeader: () => leading,
      summaryOf: () => summary,
      vault: { health: () => Promise.resolve({ status: 'True', reason: 'VaultReachable', message: 'answers' }) },
      authorityOf: () => undefined,
      vaultCheckMs: 3_600_000,
    });
  });

  afterEach(async () => {
    await operator.stop();
    await kubeConfig.close();
    await server.goAway().catch(() => undefined);
  });

  const generations = (): number[] =>
    rules
      .snapshot()
      .rulesFor('shop')
      .map((rule) => rule.policy.generation);
  const lastStatus = (): PolicyStatus | undefined =>
    (server.applied.at(-1)?.body as { status?: PolicyStatus } | undefined)?.status;
  const lastReady = (): string | undefined => lastStatus()?.conditions?.find(({ type }) => type === 'Ready')?.reason;

  it('has all rules in force when it is loaded, and does not pass namespaces to the webhook before', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name, policy(1));
    server.failNext(500, 2);
    await operator.start();
    expect([operator.loaded, told]).to.deep.equal([false, []]);
    await eventually(() => expect(operator.loaded).to.equal(true));
    expect(generations()).to.deep.equal([1, 1, 1]);
    expect(told).to.deep.equal([['shop']]);
    expect(whenLoaded, 'the rules when it said so, once').to.deep.equal([[1, 1, 1]]);
  });

  it('follows a policy from its creation to its end', async () => {
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.put('a', policy(1));
    await eventually(() => expect(lastReady()).to.equal('Active'));
    server.put('a', policy(2, 'soon'));
    await eventually(() => expect(lastReady()).to.equal('DurationInvalid'));
    expect(generations()).to.deep.equal([1]);
    server.remove('a');
    await eventually(() => expect(generations()).to.deep.equal([]));
    await eventually(() => expect(told.at(-1)).to.deep.equal([]));
  });

  it('shows the health of Vault once it is known', async () => {
    server.put('a', policy(1));
    await operator.start();
    await eventually(() => {
      const vault = lastStatus()?.conditions?.find(({ type }) => type === 'VaultReachable');
      expect(vault?.reason).to.equal('VaultReachable');
    });
  });

  it('says Ready when it is told that something has changed, and API servers call the webhook', async () => {
    programmed = false;
    server.put('a', policy(1));
    await operator.start();
    await eventually(() => expect(lastReady()).to.equal('NotProgrammed'));
    programmed = true;
    operator.reconcileAll();
    await eventually(() => expect(lastReady()).to.equal('Active'));
  });

  it('writes no status before it leads, though its rules are in force', async () => {
    leading = false;
    server.put('a', policy(1));
    await operator.start();
    await eventually(() => expect(operator.loaded).to.equal(true));
    expect(generations()).to.deep.equal([1]);
    expect(server.applied).to.deep.equal([]);
    leading = true;
    operator.reconcileAll();
    await eventually(() => expect(lastReady()).to.equal('Active'));
  });

  it('stays stalled by its workloads after a start, until they have been examined', async () => {
    const lastTransitionTime = '2026-01-01T00:00:00Z';
    const reason = 'RolloutFailed';
    const stalled = { type: 'Stalled', status: 'True', reason, message: 'no pod came', lastTransitionTime };
    server.put('a', { ...policy(2), status: { observedGeneration: 1, conditions: [stalled] } });
    await operator.start();
    const reasonOf = (): string | undefined => lastStatus()?.conditions?.find(({ type }) => type === 'Stalled')?.reason;
    await eventually(() => expect(reasonOf()).to.equal(reason));
    const counts = { matched: 1, injected: 1, outdated: 0, missed: 0, denied: 0, failed: 0, excluded: 0 };
    summary = { counts, attention: [], attentionOmitted: 0, conflicts: [] };
    operator.factsChanged('shop/a');
    await eventually(() => expect(lastStatus()?.workloads?.matched).to.equal(1));
    expect(reasonOf()).to.equal(undefined);
  });

  it('shows what became of the workloads once it knows', async () => {
    leading = false;
    server.put('a', policy(1));
    await operator.start();
    await eventually(() => expect(operator.loaded).to.equal(true));
    leading = true;
    const counts = { matched: 3, injected: 2, outdated: 0, missed: 0, denied: 1, failed: 0, excluded: 0 };
    summary = { counts, attention: [], attentionOmitted: 0, conflicts: [] };
    operator.factsChanged('shop/a');
    await eventually(() => expect(lastStatus()?.workloads).to.deep.equal({ ...counts, problems: 1, conflicts: 0 }));
  });

  it('keeps its rules while the API server is down, and drops those whose policy was deleted meanwhile', async () => {
    server.put('a', policy(1));
    server.put('b', policy(2));
    await operator.start();
    await eventually(() => expect(generations()).to.have.members([1, 2]));
    await server.goAway();
    server.remove('a');
    server.compact();
    expect(generations()).to.have.members([1, 2]);
    await server.comeBack();
    await eventually(() => expect(generations()).to.deep.equal([2]));
  });

  it('retries a status that could not be written', async () => {
    await operator.start();
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.failNext(500, 2);
    server.put('a', policy(1));
    await eventually(() => expect(lastReady()).to.equal('Active'));
  });
});
