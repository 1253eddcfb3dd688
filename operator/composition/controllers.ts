import { hostname } from 'node:os';

import { compilePolicy } from '../../core/policy/compile.ts';
import { policyValidator } from '../../core/policy/schema.ts';
import { EventRecorder } from '../../kube/event-recorder.ts';
import type { InformerObserver } from '../../kube/informer.ts';
import type { Leadership } from '../../kube/leader-election.ts';
import type { Logger } from '../../kube/log.ts';
import { ApiError } from '../../kube/object-client.ts';
import { readCrd } from '../crd.ts';
import { createLeaderMetrics, createOperatorMetrics } from '../metrics.ts';
import { PolicyController } from '../policies/policy-controller.ts';
import { PolicyEvents } from '../policies/policy-events.ts';
import type { RuleCache } from '../policies/rule-cache.ts';
import { createRotation } from '../rotation/create.ts';
import type { Rotation } from '../rotation/rotation.ts';
import { Authorities } from '../vault/authorities.ts';
import { NodeVaultClient } from '../vault/node-vault-client.ts';
import { WorkloadController } from '../workloads/workload-controller.ts';
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
}

/** Creates the controllers of policies, their workloads, and the secrets that those read, and connects them. */
export function createControllers(
  context: Context,
  parts: { readonly rules: RuleCache; readonly trust: Trust; readonly leader: Leadership } & Answerers,
): Controllers {
  const { settings, client, register } = context;
  const { rules, trust, leader, images, sources } = parts;
  const { configuration: webhook } = trust;
  const leaderMetrics = createLeaderMetrics(register, () => leader.isLeader);
  const events = new EventRecorder({
    ...context,
    component: OPERATOR_NAME,
    instance: hostname(),
    onOutcome: (outcome) => leaderMetrics.told(outcome),
  });
  const authorities = new Authorities({ ...context, rules });
  const rotation = createRotation({ ...context, ...settings, client, authorities });
  const workloads = new WorkloadController({
    ...context,
    rules,
    webhook,
    leader,
    events,
    images: images.configs,
    sources,
    rotation,
    maxRollouts: settings.maxRollouts,
  });
  const metrics = createOperatorMetrics(register);
  const policies = new PolicyController({
    ...context,
    relistMs: milliseconds(settings.relistInterval),
    observer: withHint(metrics, context.logger),
    validate: policyValidator(readCrd()),
    compile: (policy) =>
      compilePolicy(policy, { injectorImage: settings.injectorImage, injectorImagePullPolicy: 'IfNotPresent' }),
    rules,
    webhook,
    certificateReady: () => trust.certificateReady(),
    isLeader: () => leader.isLeader,
    policyEvents: new PolicyEvents(events),
    summaryOf: (policy) => workloads.summaryOf(policy),
    rotationOf: (policy) => rotation.stateOf(policy),
    vault: new NodeVaultClient(),
    authorityOf: authorities.of,
    vaultCheckMs: milliseconds(settings.vaultCheckInterval),
  });
  metrics.show(() => policies.lastSeen);

  for (const fact of [authorities, rotation]) fact.onChange((policy) => policies.factsChanged(policy));
  workloads.onSummary((policy) => policies.factsChanged(policy));
  trust.published.onChange(() => {
    policies.reconcileAll();
    workloads.lookAtAll();
  });
  leader.onChange((leading) => (leading ? policies.reconcileAll() : undefined));
  return { events, authorities, rotation, workloads, policies };
}

/** The most common installation mistakes deserve more than a status code in the log. */
function withHint(observer: InformerObserver, logger: Logger): InformerObserver {
  const onRetry = (error: unknown, delayMs: number): void => {
    const hint = error instanceof ApiError ? HINTS[error.code] : undefined;
    if (hint !== undefined) logger.error(hint);
    observer.onRetry?.(error, delayMs);
  };
  return { ...observer, onRetry };
}

const HINTS: Readonly<Record<number, string>> = {
  403: 'the API server does not allow the operator to list VaultInjectionPolicies: kubectl apply -k config/rbac',
  404: 'the API server does not know VaultInjectionPolicies: install the CRD, kubectl apply -f crds/',
};
