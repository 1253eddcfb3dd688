/**
 * The operator: one process that makes rules of policies, answers admission reviews from them, and keeps the
 * certificate and the webhook configuration that lead API servers to it. This file alone knows all of its parts.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';

import { pino } from 'pino';

import { createAdmission } from '../webhook/admission.ts';
import { isTrusted } from '../webhook/certificates/inspect.ts';
import { CertificateKeeper } from '../webhook/certificates/keeper.ts';
import { ConfigurationKeeper } from '../webhook/configuration/keeper.ts';
import type { WebhookTarget } from '../webhook/configuration/configuration.ts';
import { HealthServer } from './health-server.ts';
import { proxiesOf } from '../webhook/image-config/http.ts';
import { startImageLookUp } from '../webhook/image-config/start.ts';
import { mutateWorkload } from '../core/injection/mutate.ts';
import { createSourceMetrics } from '../webhook/sources/metrics.ts';
import { sourceReader } from '../webhook/sources/source-reader.ts';
import { Sources } from '../webhook/sources/sources.ts';
import { createWebhookMetrics } from '../webhook/metrics.ts';
import { WebhookServer } from '../webhook/server.ts';
import { systemClock } from '../kube/clock.ts';
import { readCrd } from './crd.ts';
import { parseDuration } from '../core/duration.ts';
import { ApiClient } from '../kube/api-client.ts';
import { KubeConfigError, loadKubeConfig } from '../kube/kube-config.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import type { Leadership } from '../kube/leader-election.ts';
import { LeaderElection } from '../kube/leader-election.ts';
import { ApiError } from '../kube/object-client.ts';
import type { Logger } from '../kube/log.ts';
import { createLeaderMetrics, createOperatorMetrics } from './metrics.ts';
import { compilePolicy } from '../core/policy/compile.ts';
import { PolicyController } from './policies/policy-controller.ts';
import { RuleCache } from './policies/rule-cache.ts';
import { policyValidator } from '../core/policy/schema.ts';
import { startRotation } from './rotation/start.ts';
import { WorkloadController } from './workloads/workload-controller.ts';
import { readSettings, SettingsError, settingsHelp, type Settings } from './settings.ts';
import { Authorities } from './vault/authorities.ts';
import { NodeVaultClient } from './vault/node-vault-client.ts';

const USER_AGENT = 'vault-injection-operator';
const LABELS = { 'app.kubernetes.io/name': USER_AGENT, 'app.kubernetes.io/managed-by': USER_AGENT };
// After the drain, reviews that are still under way get as long as an API server waits for one (timeoutSeconds).
const DRAIN_DEADLINE_MS = 5_000;
// Two attempts fit into the ten seconds in which a leader must have renewed its lease.
const LEASE_TIMEOUT_MS = 4_000;

// One reading of a ConfigMap or Secret, whoever waits for it: longer than an admission waits, so that the next one finds it.
const SOURCE_READ_MS = 5_000;

// Of a small young generation hardly anything survives, so there is nothing to share among threads; waiting for
// threads on busy processors took up to half of the reviews per second. NODE_OPTIONS does not take this one.
const GARBAGE_COLLECTION = '--no-parallel-scavenge';

/** Starts all parts and gives what stops them in order. Rejects when an address cannot be listened on. */
async function start(settings: Settings, logger: Logger): Promise<() => Promise<void>> {
  const clock = systemClock;
  const random = Math.random;
  const kubeConfig = loadKubeConfig({ file: settings.kubeconfig, context: settings.context });
  const client = new ApiClient({ kubeConfig, userAgent: USER_AGENT });
  const shared = { client, clock, random, logger, labels: LABELS };
  const rules = new RuleCache();
  const authorities = new Authorities({ ...shared, rules });

  const metrics = createWebhookMetrics({
    rules: () => rules.namespaces().reduce((sum, { name }) => sum + rules.snapshot().rulesFor(name).length, 0),
    leafNotAfter: () => certificates.certificateStatus().leafNotAfter,
    authorityNotAfter: () => certificates.certificateStatus().authorityNotAfter,
  });
  const target = targetOf(settings);
  const configuration: ConfigurationKeeper = new ConfigurationKeeper({
    ...shared,
    target,
    bundlePem: () => certificates.bundlePem(),
    onRepaired: () => metrics.repaired('configuration'),
  });
  const certificates: CertificateKeeper = new CertificateKeeper({
    ...shared,
    namespace: settings.namespace,
    names: namesOf(target),
    publishedSince: (certificate) => configuration.publishedSince(certificate),
    onRepaired: () => metrics.repaired('certificates'),
  });
  const certificateReady = (): boolean => {
    const pair = certificates.servingPair();
    const bundle = configuration.publishedBundle() ?? certificates.bundlePem();
    return pair !== undefined && isTrusted(pair.cert, bundle, clock.now());
  };
  const election = settings.leaderElection
    ? new LeaderElection({
        client: new ApiClient({ kubeConfig, userAgent: USER_AGENT, timeoutMs: LEASE_TIMEOUT_MS }),
        namespace: settings.namespace,
        name: USER_AGENT,
        // a pod's host name is its own name
        identity: `${hostname()}_${randomUUID()}`,
        clock,
        random,
        logger,
      })
    : undefined;
  const leader: Leadership = election ?? { isLeader: true, onChange: () => undefined };
  const leaderMetrics = createLeaderMetrics(metrics.register, () => leader.isLeader);
  const observer = createOperatorMetrics(metrics.register, () => policies.lastSeen);
  const policies = new PolicyController({
    ...shared,
    kubeConfig,
    relistMs: milliseconds(settings.relistInterval),
    observer: { ...observer, onRetry: (error, delayMs) => (hint(error, logger), observer.onRetry?.(error, delayMs)) },
    validate: policyValidator(readCrd()),
    compile: (policy) =>
      compilePolicy(policy, { injectorImage: settings.injectorImage, injectorImagePullPolicy: 'IfNotPresent' }),
    rules,
    webhook: configuration,
    certificateReady,
    isLeader: () => leader.isLeader,
    summaryOf: (policy) => workloads.summaryOf(policy),
    rotationOf: (policy) => rotation.stateOf(policy),
    vault: new NodeVaultClient(),
    authorityOf: authorities.of,
    vaultCheckMs: milliseconds(settings.vaultCheckInterval),
  });
  const images = startImageLookUp({
    ...settings,
    // Secrets are read while a review waits: an API server that does not answer must not use all of its time up.
    client: new ApiClient({ kubeConfig, userAgent: USER_AGENT, timeoutMs: milliseconds(settings.registryTimeout) }),
    userAgent: USER_AGENT,
    proxies: proxiesOf(process.env),
    register: metrics.register,
    clock,
    random,
    logger,
  });
  const sources = new Sources({
    ...shared,
    read: sourceReader(new ApiClient({ kubeConfig, userAgent: USER_AGENT, timeoutMs: SOURCE_READ_MS })),
    metrics: createSourceMetrics(metrics.register),
    rereadMs: milliseconds(settings.sourceInterval),
  });
  const rotation = startRotation({ ...settings, ...shared, leader, authorities, register: metrics.register });
  authorities.onChange((policy) => policies.factsChanged(policy));
  rotation.onChange((policy) => policies.factsChanged(policy));
  const events = new EventRecorder({
    client,
    component: USER_AGENT,
    instance: hostname(),
    clock,
    logger,
    onOutcome: (outcome) => leaderMetrics.told(outcome),
  });
  const workloads: WorkloadController = new WorkloadController({
    ...shared,
    rules,
    webhook: configuration,
    leader,
    events,
    images: images.configs,
    sources,
    rotation,
    register: metrics.register,
    onSummary: (policy) => policies.factsChanged(policy),
  });
  certificates.onChange(() => configuration.wake());
  configuration.onChange(() => {
    certificates.wake();
    policies.reconcileAll();
    workloads.lookAtAll();
  });
  leader.onChange((leading) => (leading ? policies.reconcileAll() : undefined));

  let server: WebhookServer | undefined;
  const health = new HealthServer({
    checks: [
      { name: 'policies', check: () => (policies.loaded ? undefined : 'not all listed yet') },
      {
        name: 'certificate',
        check: () => (certificateReady() ? undefined : 'not trusted by the webhook configuration'),
      },
      { name: 'webhook', check: () => (server === undefined ? 'not listening yet' : draining(server)) },
    ],
    register: metrics.register,
    logger,
  });
  const healthAddress = await health.listen(settings.healthPort, settings.healthHost || undefined);
  logger.info({ address: healthAddress.address, port: healthAddress.port }, 'serving /livez, /readyz and /metrics');

  const serve = async (): Promise<void> => {
    await certificates.start();
    const pair = certificates.servingPair();
    if (pair === undefined) throw new Error('unreachable: certificates have started');
    const admission = createAdmission({
      rules: () => rules.snapshot(),
      mutate: mutateWorkload,
      metrics,
      logger,
      lookUps: {
        images: {
          known: (namespace, needs) => images.configs.known(namespace, needs),
          find: (namespace, needs, waitedMs) =>
            images.configs.find(namespace, needs, left(settings.registryTimeout, waitedMs)),
        },
        sources: {
          known: (namespace, needs) => sources.fresh(namespace, needs),
          find: (namespace, needs, waitedMs) => sources.find(namespace, needs, left(settings.sourceTimeout, waitedMs)),
        },
      },
      onReviewed: (reviewed) => {
        if (reviewed.outcome === 'Restored') configuration.noteRestored(reviewed.namespace);
        workloads.reviewed(reviewed);
      },
    });
    const webhook = new WebhookServer({ admission, pair, metrics, logger, clock });
    certificates.onChange(() => {
      const fresh = certificates.servingPair();
      if (fresh !== undefined) webhook.setCertificate(fresh);
    });
    const { address, port } = await webhook.listen(settings.webhookPort, listenHost(settings));
    logger.info({ address, port, names: namesOf(target) }, 'serving admission reviews');
    server = webhook;
  };
  await Promise.all([serve(), policies.start(), images.begin()]);
  sources.start();
  // Only now: API servers are told of a webhook that answers.
  configuration.start();
  election?.start();
  // Readiness does not wait for it: rules are all that admission needs.
  workloads.start();

  return async () => {
    logger.info({ drain: settings.drain }, 'stopping: readiness is false, reviews are still answered');
    await server?.drain({ graceMs: milliseconds(settings.drain), deadlineMs: DRAIN_DEADLINE_MS });
    await Promise.all(
      [policies, authorities, workloads, rotation, events, configuration, certificates, sources].map((part) =>
        part.stop(),
      ),
    );
    // only when nothing is written any more that only one may write
    await election?.stop();
    await health.close();
    await images.close();
    await kubeConfig.close();
  };
}

const draining = (server: WebhookServer): string | undefined => (server.draining ? 'draining' : undefined);

/** The commonest mistake of an installation deserves more than a 404 in the log. */
function hint(error: unknown, logger: Logger): void {
  if (!(error instanceof ApiError) || error.code !== 404) return;
  logger.error('the API server does not know VaultInjectionPolicies: install the CRD, kubectl apply -f crds/');
}

function targetOf(settings: Settings): WebhookTarget {
  if (settings.webhookUrl !== '') return { url: settings.webhookUrl };
  const { webhookService: name, namespace, webhookServicePort: port } = settings;
  return { service: { name, namespace, port } };
}

/** What API servers call the webhook: the name in the certificate that they verify comes first. */
function namesOf(target: WebhookTarget): readonly string[] {
  if ('url' in target) return [new URL(target.url).hostname.replace(/^\[|\]$/g, '')];
  const { name, namespace } = target.service;
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`];
}

/** Undefined listens on all addresses; a webhook that is called on loopback need not be reachable from elsewhere. */
function listenHost({ webhookHost, webhookUrl }: Settings): string | undefined {
  if (webhookHost !== '') return webhookHost;
  const host = webhookUrl === '' ? '' : new URL(webhookUrl).hostname;
  return host.startsWith('127.') || host === 'localhost' ? host : undefined;
}

/** Milliseconds of a duration that are left after so many. */
function left(duration: string, waitedMs: number): number {
  return Math.max(0, milliseconds(duration) - waitedMs);
}

function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined) throw new Error(`unreachable: the settings hold only durations that can be read`);
  return ms;
}

/**
 * A defect nobody caught: the process cannot be trusted to go on. Its kind and place are logged, not its message, which
 * may quote a manifest.
 */
function dieOn(event: 'uncaughtException' | 'unhandledRejection', logger: Logger): void {
  process.on(event, (error: unknown) => {
    const at = error instanceof Error ? error.stack?.split('\n').filter((line) => line.startsWith('    at ')) : [];
    logger.error({ event, error: error instanceof Error ? error.name : typeof error, at }, 'ending on a defect');
    process.exit(1);
  });
}

async function main(): Promise<void> {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (settings === 'help') {
    process.stdout.write(settingsHelp());
    return;
  }
  setFlagsFromString(GARBAGE_COLLECTION);
  const logger = pino({
    level: settings.logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
  });
  dieOn('uncaughtException', logger);
  dieOn('unhandledRejection', logger);
  if (settings.injectorImage === '') logger.warn('no --injector-image: each policy has to name its own');
  const stop = await start(settings, logger);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // a person who presses Ctrl-C twice does not want to wait for the drain
      if (stopping) process.exit(1);
      stopping = true;
      void stop().then(() => logger.info('stopped'));
    });
  }
}

try {
  await main();
} catch (error) {
  const known = error instanceof SettingsError || error instanceof KubeConfigError;
  const { code, message } = error as NodeJS.ErrnoException;
  if (!known && code === undefined) throw error;
  process.stderr.write(`${message}\n`);
  process.exitCode = known ? 2 : 1;
}
