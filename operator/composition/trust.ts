import { isTrusted } from '../../webhook/certificates/inspect.ts';
import { CertificateKeeper } from '../../webhook/certificates/keeper.ts';
import { ConfigurationKeeper } from '../../webhook/configuration/keeper.ts';
import { Published } from '../../webhook/configuration/published.ts';
import type { InjectedCopy } from '../../webhook/configuration/injected-workloads.ts';
import type { WebhookMetrics } from '../../webhook/metrics.ts';
import type { Context } from './context.ts';
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
 * Creates the keepers of certificates and configuration, each of which wakes when the other has changed.
 *
 * @param injected what is known of injected workloads once the parts have started
 */
export function createTrust(context: Context, metrics: WebhookMetrics, injected: InjectedCopy): Trust {
  const { clock, settings } = context;
  const target = targetOf(settings);
  const published = new Published(clock, target);
  const certificates = new CertificateKeeper({
    ...context,
    namespace: settings.namespace,
    names: namesOf(target),
    publishedSince: (certificate) => published.since(certificate),
    onRepaired: () => metrics.repaired('certificates'),
  });
  const configuration = new ConfigurationKeeper({
    ...context,
    target,
    published,
    injected,
    bundlePem: () => certificates.bundlePem(),
    onRepaired: () => metrics.repaired('configuration'),
  });
  certificates.onChange(() => configuration.wake());
  published.onChange(() => certificates.wake());
  const certificateReady = (): boolean => {
    const pair = certificates.servingPair();
    const bundle = published.bundle ?? certificates.bundlePem();
    return pair !== undefined && isTrusted(pair.cert, bundle, clock.now());
  };
  return { published, certificates, configuration, certificateReady };
}
