import type { Clock } from '../../kube/clock.ts';
import type { Leadership } from '../../kube/leader-election.ts';
import { isTrusted } from '../../webhook/certificates/inspect.ts';
import { CertificateKeeper } from '../../webhook/certificates/keeper.ts';
import { Departure } from '../../webhook/configuration/departure.ts';
import { ConfigurationKeeper } from '../../webhook/configuration/keeper.ts';
import { NamespaceLabels } from '../../webhook/configuration/namespace-labels.ts';
import { Owner } from '../../webhook/configuration/owner.ts';
import { Published } from '../../webhook/configuration/published.ts';
import type { InjectedCopy } from '../../webhook/configuration/injected-workloads.ts';
import type { WebhookMetrics } from '../../webhook/metrics.ts';
import { AcceptedPaths } from '../../webhook/paths/accepted.ts';
import { Paths } from '../../webhook/paths/keeper.ts';
import { tokenName, UNGUARDED } from '../../webhook/paths/path.ts';
import { acceptedPaths } from '../../webhook/paths/rotation.ts';
import type { PathPeers } from '../../webhook/paths/rotation.ts';
import type { Replicas } from '../replicas/replicas.ts';
import { createProbeMetrics } from '../../webhook/probe/metrics.ts';
import { Prober } from '../../webhook/probe/prober.ts';
import type { Context } from './context.ts';
import { milliseconds } from './context.ts';
import { namesOf, targetOf } from './webhook-address.ts';

/** What makes API servers call the webhook and trust its certificate. */
export interface Trust {
  /** What the cluster's configuration says. */
  readonly published: Published;
  readonly certificates: CertificateKeeper;
  readonly configuration: ConfigurationKeeper;
  /** Whether the installation is being removed; undefined if somebody else keeps the configuration. */
  readonly departure: Departure | undefined;
  /** The paths at which this replica answers. */
  readonly paths: AcceptedPaths;
  /** Finds out whether API servers reach the webhook; for the leader to start. */
  readonly prober: Prober;
  /** Whether API servers that follow the published configuration accept the served certificate. */
  certificateReady(): boolean;
}

// An API server waits 5 s for the webhook (timeoutSeconds), and answers then.
const PROBE_TIMEOUT_MS = 10_000;

/**
 * Creates the keepers of certificates and configuration, each of which wakes when the other has changed, and the prober,
 * and tells the other replicas what this one trusts and serves.
 */
export function createTrust(
  context: Context,
  parts: {
    readonly metrics: WebhookMetrics;
    /** Who may write the configuration and the certificates. */
    readonly elected: Leadership;
    readonly replicas: Replicas;
    /** Whether this replica knows as much about policies as any other. */
    readonly areFresh: () => boolean;
    /** What is known of injected workloads once the parts have started. */
    readonly injected: InjectedCopy;
  },
): Trust {
  const { clock, settings, register, clientWithin } = context;
  const { namespace } = settings;
  const { metrics, elected, replicas, areFresh, injected } = parts;
  const target = targetOf(settings);
  const isExternal = settings.webhookConfiguration === 'External';
  const { kinds: table } = context;
  const namespaceLabels = new NamespaceLabels({ ...context, onChange: () => configuration.wake() });
  const published = new Published({
    clock,
    target,
    installation: namespace,
    table,
    labelsOf: (name) => namespaceLabels.of(name),
    external: isExternal ? () => namespaceLabels.names() : undefined,
  });
  const peers = (): PathPeers => peersOf(replicas);
  let isExposed = false;
  const paths = new Paths({
    ...context,
    published: () => published.tokens,
    publishedSince: (token) => published.tokenSince(token),
    peers,
    publishes: !isExternal,
    // while API servers do not reach the webhook, they would show the next one as well
    isExposed: () => isExposed && prober.finding?.status === 'True',
    onRotated: () => (isExposed = false),
    waitMs: milliseconds(settings.certificateWait),
  });
  const accepted = new AcceptedPaths(clock, milliseconds(settings.certificateWait));
  const certificates: CertificateKeeper = new CertificateKeeper({
    ...context,
    namespace,
    names: namesOf(target),
    isLeader: () => elected.isLeader,
    publishedSince: (certificate) => published.since(certificate),
    publishedBundle: () => published.bundle,
    waitMs: milliseconds(settings.certificateWait),
    others: {
      known: () => replicas.known,
      serves: (fingerprint) => replicas.others().some(({ serves }) => serves === fingerprint),
      lacks: (fingerprint) =>
        replicas.others().some(({ serves, authorities }) => serves !== '' && !authorities.includes(fingerprint)),
    },
    paths,
    onRepaired: () => metrics.repaired('certificates'),
  });
  const prober: Prober = new Prober({
    ...context,
    client: clientWithin(PROBE_TIMEOUT_MS),
    namespace,
    isProgrammed: () => published.isProbeInForce,
    port: settings.webhookPort,
    metrics: createProbeMetrics(register),
  });
  const owner = new Owner({ ...context, name: settings.clusterRole });
  const departure = isExternal ? undefined : new Departure({ ...context, namespace, owner });
  const configuration: ConfigurationKeeper = new ConfigurationKeeper({
    ...context,
    target,
    table,
    installation: namespace,
    published,
    injected,
    namespaceLabels,
    isExternal,
    ...(departure && { owner, departure }),
    mayWrite: () => elected.isLeader && !isExternal,
    isReached: () => prober.hasBeenReached,
    areFresh,
    bundlePem: () => certificates.bundlePem(),
    pathToken: () => paths.chosen(certificates.pathSet()),
    onRepaired: () => metrics.repaired('configuration'),
  });
  const accept = (): void => {
    // before the Secret has been read, nobody knows whether there are tokens: a path without one would be open for a while
    if (certificates.bundlePem() === '') return;
    const tokens = acceptedPaths(certificates.pathSet(), published.tokens, peers());
    accepted.set(tokens);
    // what is told is accepted already
    replicas.publish({ ...certificates.fingerprints(), paths: tokens.map(tokenName).sort() });
  };
  certificates.onChange(() => {
    accept();
    configuration.wake();
  });
  elected.onChange(() => {
    configuration.wake();
    certificates.wake();
  });
  prober.onChange(() => {
    if (prober.finding?.status === 'False') isExposed = true;
    if (isExposed) certificates.wake();
    configuration.wake();
  });
  published.onChange((namespaces) => {
    if (namespaces === undefined) accept();
    certificates.wake();
    prober.wake();
  });
  let told = '';
  replicas.onChange(() => {
    // a pass reads the Secret: not for each policy that somebody edits
    const others = replicas.others().map(({ serves, authorities, paths: names }) => [serves, authorities, names]);
    const says = JSON.stringify([replicas.known, others]);
    if (says === told) return;
    told = says;
    accept();
    certificates.wake();
    configuration.wake();
  });
  const trusts = rememberingTrust(clock);
  const certificateReady = (): boolean => {
    const pair = certificates.servingPair();
    return pair !== undefined && trusts(pair.cert, published.bundle ?? certificates.bundlePem());
  };
  return { published, certificates, configuration, departure, paths: accepted, prober, certificateReady };
}

/** What replicas accept that say nothing about tokens: the paths without one. */
const WITHOUT = [tokenName(UNGUARDED)];

/** Returns what the other replicas say about the tokens in the paths. */
function peersOf(replicas: Replicas): PathPeers {
  const others = replicas.others();
  return {
    known: replicas.known,
    // also before they serve, so that API servers know another path by then
    areOlder: others.some(({ paths }) => paths === undefined),
    lacks: (token) => others.some(({ serves, paths = WITHOUT }) => serves !== '' && !paths.includes(tokenName(token))),
  };
}

// A certificate expires in years: a second later is early enough to know.
const TRUST_MS = 1_000;

/**
 * Returns isTrusted() of now, which verifies a signature, for callers that ask the same again for each of thousands of
 * policies.
 */
function rememberingTrust(clock: Clock): (cert: string, bundle: string) => boolean {
  let last = { cert: '', bundle: '', at: -Infinity, is: false };
  return (cert, bundle) => {
    const at = clock.elapsed();
    if (last.cert !== cert || last.bundle !== bundle || at - last.at >= TRUST_MS) {
      last = { cert, bundle, at, is: isTrusted(cert, bundle, clock.now()) };
    }
    return last.is;
  };
}
