import type { Leadership } from '../../kube/leader-election.ts';
import { isTrusted } from '../../webhook/certificates/inspect.ts';
import { CertificateKeeper } from '../../webhook/certificates/keeper.ts';
import { ConfigurationKeeper } from '../../webhook/configuration/keeper.ts';
import { Published } from '../../webhook/configuration/published.ts';
import type { WebhookMetrics } from '../../webhook/metrics.ts';
import type { Replicas } from '../replicas/replicas.ts';
import type { Context } from './context.ts';
import { milliseconds } from './context.ts';
import { namesOf, targetOf } from './webhook-address.ts';

/** What makes API servers call the webhook and trust its certificate. */
export interface Trust {
  /** What the cluster's configuration says. */
  readonly published: Published;
  readonly certificates: CertificateKeeper;
  readonly configuration: ConfigurationKeeper;
  /** Whether API servers that follow the published configuration accept the served certificate. */
  certificateReady(): boolean;
}

/**
 * Creates the keepers of certificates and configuration, each of which wakes when the other has changed, and tells the
 * other replicas what this one trusts and serves.
 */
export function createTrust(
  context: Context,
  parts: { readonly metrics: WebhookMetrics; readonly leader: Leadership; readonly replicas: Replicas },
): Trust {
  const { clock, settings } = context;
  const { metrics, leader, replicas } = parts;
  const target = targetOf(settings);
  const published = new Published(clock, target);
  const certificates = new CertificateKeeper({
    ...context,
    namespace: settings.namespace,
    names: namesOf(target),
    isLeader: () => leader.isLeader,
    publishedSince: (certificate) => published.since(certificate),
    publishedBundle: () => published.bundle,
    waitMs: milliseconds(settings.certificateWait),
    others: {
      known: () => replicas.known,
      serves: (fingerprint) => replicas.others().some(({ serves }) => serves === fingerprint),
      lacks: (fingerprint) =>
        replicas.others().some(({ serves, authorities }) => serves !== '' && !authorities.includes(fingerprint)),
    },
    onRepaired: () => metrics.repaired('certificates'),
  });
  const configuration = new ConfigurationKeeper({
    ...context,
    target,
    published,
    bundlePem: () => certificates.bundlePem(),
    onRepaired: () => metrics.repaired('configuration'),
  });
  certificates.onChange(() => {
    configuration.wake();
    replicas.publish(certificates.fingerprints());
  });
  published.onChange(() => certificates.wake());
  leader.onChange(() => certificates.wake());
  let told = '';
  replicas.onChange(() => {
    // a pass reads the Secret: not for each policy that somebody edits
    const says = JSON.stringify(replicas.others().map(({ serves, authorities }) => [serves, authorities]));
    if (says !== told) certificates.wake();
    told = says;
  });
  const certificateReady = (): boolean => {
    const pair = certificates.servingPair();
    const bundle = published.bundle ?? certificates.bundlePem();
    return pair !== undefined && isTrusted(pair.cert, bundle, clock.now());
  };
  return { published, certificates, configuration, certificateReady };
}
