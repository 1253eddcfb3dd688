import { hostname } from 'node:os';

import { compilePolicy } from '../../core/policy/compile.ts';
import { policyValidator } from '../../core/policy/schema.ts';
import { EventRecorder } from '../../kube/event-recorder.ts';
import type { Leadership } from '../../kube/leader-election.ts';
import { readCrd } from '../crd.ts';
import { createLeaderMetrics, createOperatorMetrics } from '../metrics.ts';
import { tokenAudienceOf } from '../settings.ts';
import type { Settings } from '../settings.ts';
import { CrdWatch } from '../policies/crd-watch.ts';
import { Freshness } from '../policies/freshness.ts';
import { NodeVersions } from '../policies/node-versions.ts';
import { PolicyController } from '../policies/policy-controller.ts';
import { PolicyEvents } from '../policies/policy-events.ts';
import type { RuleCache } from '../policies/rule-cache.ts';
import { RuleHistory } from '../policies/rule-history.ts';
import { targetLackOf } from '../policies/target-lack.ts';
import type { Replicas } from '../replicas/replicas.ts';
import { allHave, newestPublished } from '../replicas/state.ts';
import { createRotation } from '../rotation/create.ts';
import type { Rotation } from '../rotation/rotation.ts';
import { Authorities } from '../vault/authorities.ts';
import { CheckHosts } from '../vault/check-hosts.ts';
import { NodeVaultClient } from '../vault/node-vault-client.ts';
import { WorkloadController } from '../workloads/workload-controller.ts';
import type { ApiAudiences } from './api-audiences.ts';
import type { ApiVersion } from './api-version.ts';
import type { Context } from './context.ts';
import { milliseconds, OPERATOR_NAME } from './context.ts';
import type { Answerers } from './look-ups.ts';
import type { Trust } from './trust.ts';

export interface Controllers {
  readonly events: EventRecorder;
  readonly authorities: Authorities;
  readonly rotation: Rotation;
  readonly workloads: WorkloadController;
  readonly policies: PolicyController;
  readonly nodes: NodeVersions;
  readonly crd: CrdWatch;
  readonly freshness: Freshness;
}

/** Creates the controllers of policies, their workloads, and the secrets that those read, and connects them. */
export function createControllers(
  context: Context,
  parts: {
    readonly rules: RuleCache;
    readonly trust: Trust;
    readonly leader: Leadership;
    /** Who writes statuses: also while the operator is being removed, when nobody leads. */
    readonly reporter: Leadership;
    readonly replicas: Replicas;
    readonly audiences: Pick<ApiAudiences, 'known'>;
    readonly version: Pick<ApiVersion, 'noImageVolumes'>;
  } & Answerers,
): Controllers {
  const { settings, kinds, client, register } = context;
  const { rules, trust, leader, reporter, replicas, images, sources } = parts;
  const { configuration: webhook } = trust;
  const leaderMetrics = createLeaderMetrics(register, () => leader.isLeader);
  const events = new EventRecorder({
    ...context,
    component: OPERATOR_NAME,
    instance: hostname(),
    onOutcome: (outcome) => leaderMetrics.told(outcome),
  });
  const authorities = new Authorities({ ...context, rules });
  const rotation = createRotation({ ...context, ...settings, client });
  const workloads = new WorkloadController({
    ...context,
    rules,
    // what it says is what an earlier policy may have had injected
    isSent: (kind) => webhook.sends(kind),
    webhook,
    leader,
    events,
    replicas,
    images: images.configs,
    sources,
    rotation,
    maxRollouts: settings.maxRollouts,
    crdLack: () => crd.lack,
  });
  const history = new RuleHistory(context);
  const nodes = new NodeVersions(context);
  const metrics = createOperatorMetrics(register, () => context.watchAges.oldest());
  const own = readCrd();
  const crd = new CrdWatch({ ...context, own, onChange: () => policies.reconcileAll() });
  const policies: PolicyController = new PolicyController({
    ...context,
    relistMs: milliseconds(settings.relistInterval),
    observer: metrics,
    validate: policyValidator(own),
    compile: (policy) =>
      compilePolicy(policy, {
        injectorImage: settings.injectorImage,
        injectorImagePullPolicy: 'IfNotPresent',
        tokenAudience: tokenAudienceOf(settings),
        apiAudiences: parts.audiences.known,
        noImageVolumes: parts.version.noImageVolumes,
      }),
    rules,
    history,
    webhook,
    onNamespaces: (namespaces) => webhook.setPolicies(namespaces),
    // judged by fewer rules, each workload would have to be fetched again
    onLoaded: () => workloads.start(),
    certificateReady: () => trust.certificateReady(),
    webhookReachable: () => trust.prober.finding,
    isLeader: () => reporter.isLeader,
    inForceEverywhere: (version) => replicas.known && allHave(replicas.others(), version),
    policyEvents: new PolicyEvents(events),
    summaryOf: (policy) => workloads.summaryOf(policy),
    rotationOf: (policy) => rotation.stateOf(policy),
    delivery: () => nodes.choice,
    crdLack: () => crd.lack,
    targetLackOf: (targets) =>
      targetLackOf(
        targets,
        kinds,
        (kind) => workloads.problemOf(kind) ?? (webhook.refuses(kind) ? 'Refused' : undefined),
      ),
    vault: new NodeVaultClient({ hosts: checkHosts(settings) }),
    authorityOf: authorities.of,
    vaultCheckMs: milliseconds(settings.vaultCheckInterval),
  });
  metrics.showConditions(() => policies.conditionCounts);

  const freshness = new Freshness({
    clock: context.clock,
    lastSeen: () => policies.lastSeen,
    inForce: () => policies.inForce,
    published: () => newestPublished(replicas.others()),
  });
  replicas.onChange(() => {
    freshness.look();
    policies.replicasChanged();
  });
  for (const fact of [authorities, rotation]) fact.onChange((policy) => policies.factsChanged(policy));
  workloads.onSummary((policy) => policies.factsChanged(policy));
  trust.published.onChange((namespaces) => {
    policies.reconcileAll(namespaces);
    workloads.lookAtAll(namespaces);
  });
  trust.prober.onChange(() => policies.reconcileAll());
  workloads.onProblem(() => policies.reconcileAll());
  webhook.onRefused(() => policies.reconcileAll());
  nodes.onChange(() => policies.reconcileAll());
  trust.departure?.onChange(() => policies.reconcileAll());
  reporter.onChange((leading) => {
    history.doubt();
    if (leading) policies.reconcileAll();
  });
  return { events, authorities, rotation, workloads, policies, nodes, crd, freshness };
}

/** Where the operator may log in, it may also ask. */
export function checkHosts({
  vaultCheckHosts,
  vaultIdentities,
}: Pick<Settings, 'vaultCheckHosts' | 'vaultIdentities'>): CheckHosts {
  return new CheckHosts(
    vaultCheckHosts,
    vaultIdentities.flatMap(({ address, aliases }) => [address, ...aliases]),
  );
}
