/** The whole operator: its parts, what each is created with, and the order in which they start and stop. */
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';

import { mutateWorkload } from '../../core/injection/mutate.ts';
import { WrittenConfigs } from '../../core/injection/written-configs.ts';
import { readList } from '../../core/list.ts';
import { asksToFail } from '../../core/policy/governing.ts';
import type { Part } from '../../kube/group.ts';
import { Group } from '../../kube/group.ts';
import type { Logger } from '../../kube/log.ts';
import { whileLeading } from '../../kube/while-leading.ts';
import { createAdmission } from '../../webhook/admission.ts';
import type { Answer } from '../../webhook/admission.ts';
import type { Entry } from '../../webhook/configuration/configuration.ts';
import type { InjectedCopy } from '../../webhook/configuration/injected-workloads.ts';
import type { WebhookMetrics } from '../../webhook/metrics.ts';
import { createWebhookMetrics } from '../../webhook/metrics.ts';
import { createProbeAnswer } from '../../webhook/probe/answer.ts';
import { Callers } from '../../webhook/callers/callers.ts';
import { LIMITS, WebhookServer } from '../../webhook/server.ts';
import { HealthServer } from '../health-server.ts';
import type { PolicyController } from '../policies/policy-controller.ts';
import { RuleCache } from '../policies/rule-cache.ts';
import { ApiAudiences } from './api-audiences.ts';
import { ApiVersion } from './api-version.ts';
import type { Context } from './context.ts';
import { milliseconds } from './context.ts';
import type { Controllers } from './controllers.ts';
import { createControllers } from './controllers.ts';
import { createLeadership, leadingWhile } from './leadership.ts';
import { firstLine } from './first-line.ts';
import type { Answerers } from './look-ups.ts';
import { createAnswerers, lookUpsOf } from './look-ups.ts';
import { createIdentity, createReplicas, sweepingOf, tellingReadiness } from './replicas.ts';
import type { Trust } from './trust.ts';
import { createTurnedAway } from './turned-away.ts';
import type { TurnedAway } from './turned-away.ts';
import { createTrust } from './trust.ts';
import { healthPlace, namesOf, targetOf, webhookPlace } from './webhook-address.ts';

// As long as an API server waits for a review (timeoutSeconds): so long it may repeat one, and so long one may take.
const REVIEW_MS = 5_000;

/** Throws if a file named in the settings cannot be read. */
export function compose(context: Context): Group {
  const { settings, kubeConfig, logger } = context;
  const rules = new RuleCache();
  const metrics = createWebhookMetrics(context.register);
  // The keeper of the configuration asks the inventory, which asks the keeper what is programmed.
  const injected: InjectedCopy = {
    holdsInjected: (namespace, kind) => controllers.workloads.injected.holdsInjected(namespace, kind),
    injectedKinds: () => controllers.workloads.injected.injectedKinds(),
    get lastSeen() {
      return controllers.workloads.injected.lastSeen;
    },
  };
  const identity = createIdentity();
  // not there yet when the replicas are
  const known: { policies?: PolicyController } = {};
  const replicas = createReplicas(context, identity, () => known.policies?.newest ?? '');
  const { leader: elected, election } = createLeadership(context, { identity, mayLead: () => replicas.mayLead() });
  const areFresh = (): boolean => controllers.freshness.problem === undefined;
  const trust = createTrust(context, { metrics, elected, replicas, areFresh, injected });
  const { certificates, configuration, prober } = trust;
  const leader = leadingWhile(
    elected,
    () => configuration.isKeeping,
    (listener) => configuration.onKeeping(listener),
  );
  const reporter = leadingWhile(
    elected,
    () => configuration.isOurs,
    (listener) => configuration.onKeeping(listener),
  );
  const answerers = createAnswerers(context);
  const audiences = new ApiAudiences({ ...context, onChange: () => void known.policies?.compileAgain() });
  const version = new ApiVersion({ ...context, onChange: () => void known.policies?.compileAgain() });
  const parts = { rules, trust, leader, reporter, replicas, audiences, version, ...answerers };
  const controllers: Controllers = createControllers(context, parts);
  known.policies = controllers.policies;
  const turnedAway = createTurnedAway(context);
  const callers = createCallers(context);
  const server = createServer(context, { rules, metrics, trust, callers, answerers, controllers, turnedAway });
  const health = createHealth(context, { trust, controllers, server, turnedAway });
  showFigures(metrics, rules, trust);

  const { events, authorities, rotation, workloads, policies, nodes, crd } = controllers;
  const { images, sources } = answerers;
  const connections: Part = { name: 'connections to the API server', stop: () => kubeConfig.close() };
  return new Group(
    [
      // the last to stop: after the lease is released and all connections are closed, it may take another two seconds
      ...(context.traces === undefined ? [] : [[context.traces]]),
      [connections, firstLine(context, (found) => version.learn(found))],
      [serving('health server', health, logger)],
      // before the election, which asks whether another replica is ready; gone once this one serves nothing any more
      [named('replicas', replicas)],
      // stops once everything that only the leader writes has been written
      election,
      [
        named('events', events),
        named('authorities of Vaults', authorities),
        named('schema of policies', crd),
        // known when policies are compiled
        named('audiences of the API server', audiences),
        named('version of the API server', version),
      ],
      // Admission needs only these: a certificate, all rules, the platforms of the nodes, and to know API servers.
      [
        named('certificates', certificates),
        named('policies', policies),
        // started by the policies once they are loaded, which may be long before a later stage begins; nothing waits for it
        { name: 'workloads', stop: () => workloads.stop() },
        ...(trust.departure === undefined ? [] : [named('removal of the operator', trust.departure)]),
        named('image look-up', images),
        ...(callers === undefined ? [] : [named('authentication of API servers', callers)]),
      ],
      [serving('webhook server', server, logger, { names: namesOf(targetOf(settings)) })],
      // Only now, so that API servers learn of a webhook that answers.
      [
        named('sources', sources),
        named('webhook configuration', configuration),
        whileLeading(leader, { name: 'rotation', start: () => rotation.start(), stop: () => rotation.stop() }, logger),
        whileLeading(leader, { name: 'node versions', start: () => nodes.start(), stop: () => nodes.stop() }, logger),
        whileLeading(leader, { name: 'probe', start: () => prober.start(), stop: () => prober.stop() }, logger),
      ],
      [sweepingOf(context, leader, replicas)],
      [{ name: 'reviews', stop: () => drain(context, server) }],
      [tellingReadiness(context, replicas, () => health.readiness().ready)],
    ],
    logger,
  );
}

function createServer(
  context: Context,
  parts: {
    readonly rules: RuleCache;
    readonly metrics: WebhookMetrics;
    readonly trust: Trust;
    readonly callers: Callers | undefined;
    readonly answerers: Answerers;
    readonly controllers: Controllers;
    readonly turnedAway: TurnedAway;
  },
): WebhookServer {
  const { rules, metrics, answerers, controllers } = parts;
  const { certificates, configuration, departure } = parts.trust;
  const { policies } = controllers;
  const written = new WrittenConfigs();
  const none = new RuleCache().snapshot();
  const admission = createAdmission({
    ...context,
    ignorance: (entry, namespace) => {
      const { doubt: problem } = controllers.freshness;
      // the API server is there: it has just called
      if (problem !== undefined) policies.hasten();
      if (problem !== undefined) return `policies: ${problem}`;
      // which entry a namespace is in is then the installer's choice, and says nothing about policies
      return context.settings.webhookConfiguration === 'External' ? undefined : unknownAt(entry, namespace, rules);
    },
    // without any rule, a workload gets the template back that its users meant
    rules: () => (departure?.state === 'Restore' ? none : rules.snapshot()),
    mutate: (input) => mutateWorkload(input, written),
    metrics,
    lookUps: lookUpsOf(answerers, context),
    onReviewed: (reviewed) => {
      if (reviewed.outcome === 'Restored') configuration.noteRestored(reviewed.namespace);
      controllers.workloads.reviewed(reviewed);
    },
  });
  const server = new WebhookServer({
    ...context,
    admission,
    // a pod's host name is its name
    probe: timed(createProbeAnswer(hostname()), metrics),
    place: webhookPlace(context.settings),
    certificate: () => certificates.servingPair(),
    metrics,
    paths: parts.trust.paths,
    ...(parts.callers && { callers: parts.callers }),
    turnedAway: parts.turnedAway.webhook,
  });
  certificates.onChange(() => {
    const fresh = certificates.servingPair();
    if (fresh !== undefined) server.setCertificate(fresh);
  });
  return server;
}

/** Returns what knows API servers; undefined if the settings ask for nothing by which they authenticate. */
function createCallers(context: Context): Callers | undefined {
  const { webhookClientCa, webhookClientNames, webhookTokenFile } = context.settings;
  if (webhookClientCa === '' && webhookTokenFile === '') return undefined;
  const names = readList(webhookClientNames);
  return new Callers({ ...context, webhookClientCa, webhookTokenFile, names, handshakeMs: LIMITS.handshakeMs });
}

/** API servers send a namespace to the Fail entry because one of its policies asks for it. */
function unknownAt(entry: Entry, namespace: string, rules: RuleCache): string | undefined {
  if (entry !== 'fail' || asksToFail(rules, namespace)) return undefined;
  return 'this replica knows no policy of the namespace whose failurePolicy is Fail';
}

function createHealth(
  context: Context,
  parts: {
    readonly trust: Trust;
    readonly controllers: Controllers;
    readonly server: WebhookServer;
    readonly turnedAway: TurnedAway;
  },
): HealthServer {
  const { trust, controllers, server, turnedAway } = parts;
  return new HealthServer({
    ...context,
    place: healthPlace(context.settings),
    turnedAway: turnedAway.health,
    checks: [
      { name: 'policies', check: () => controllers.freshness.problem },
      {
        name: 'certificate',
        check: () => (trust.certificateReady() ? undefined : 'not trusted by the webhook configuration'),
      },
      { name: 'webhook', check: () => server.problem },
      { name: 'webhook configuration', check: () => trust.configuration.foreign() },
    ],
  });
}

function showFigures(metrics: WebhookMetrics, rules: RuleCache, { certificates }: Trust): void {
  metrics.show({
    rules: () => rules.size,
    leafNotAfter: () => certificates.certificateStatus().leafNotAfter,
    leafRenewAt: () => certificates.certificateStatus().leafRenewAt,
    authorityNotAfter: () => certificates.certificateStatus().authorityNotAfter,
    authorityRenewAt: () => certificates.certificateStatus().authorityRenewAt,
  });
}

/** Returns the same answerer of reviews, whose durations are measured as those of other reviews are. */
function timed(answer: (body: Buffer) => Answer, metrics: WebhookMetrics): (body: Buffer) => Answer {
  return (body) => {
    const started = performance.now();
    const answered = answer(body);
    metrics.probed((performance.now() - started) / 1000);
    return answered;
  };
}

async function drain({ settings, logger }: Context, server: WebhookServer): Promise<void> {
  const answerMs = milliseconds(settings.drain);
  logger.info({ drain: settings.drain }, 'readiness is false, reviews are still answered');
  // who asks for no drain does not wait for stragglers either
  await server.drain({ answerMs, refuseMs: answerMs === 0 ? 0 : REVIEW_MS, cutMs: REVIEW_MS });
}

/** Returns something with start() and stop(), or one of them, as a part. */
function named(name: string, part: Omit<Part, 'name'>): Part {
  return { name, start: () => part.start?.(), stop: () => part.stop?.() };
}

/** Returns a server as a part that logs where it listens. */
function serving(
  name: string,
  server: { start(): Promise<AddressInfo>; stop(): Promise<void> },
  logger: Logger,
  more: { readonly names?: readonly string[] } = {},
): Part {
  const start = async (): Promise<void> => {
    const { address, port } = await server.start();
    logger.info({ address, port, ...more }, `the ${name} is listening`);
  };
  return { name, start, stop: () => server.stop() };
}
