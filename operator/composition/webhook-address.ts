import type { Place } from '../../kube/listen.ts';
import type { WebhookTarget } from '../../webhook/configuration/configuration.ts';
import type { Settings } from '../settings.ts';

/** How API servers reach the webhook: by its Service, or by the URL that the settings name. */
export function targetOf(settings: Settings): WebhookTarget {
  if (settings.webhookUrl !== '') return { url: settings.webhookUrl };
  const { webhookService: name, namespace, webhookServicePort: port } = settings;
  return { service: { name, namespace, port } };
}

/** What API servers call the webhook: the name in the certificate that they verify comes first. */
export function namesOf(target: WebhookTarget): readonly string[] {
  if ('url' in target) return [new URL(target.url).hostname.replace(/^\[|\]$/g, '')];
  const { name, namespace } = target.service;
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`];
}

/** Where the webhook listens. One that is called on loopback need not be reachable from elsewhere. */
export function webhookPlace({ webhookPort: port, webhookHost, webhookUrl }: Settings): Place {
  const settings = { port: '--webhook-port', host: '--webhook-host' };
  if (webhookHost !== '') return { port, host: webhookHost, settings };
  const called = webhookUrl === '' ? '' : new URL(webhookUrl).hostname;
  const isLoopback = called.startsWith('127.') || called === 'localhost';
  return { port, host: isLoopback ? called : undefined, settings };
}

/** Where probes and metrics are answered. */
export function healthPlace({ healthPort: port, healthHost }: Settings): Place {
  return { port, host: healthHost || undefined, settings: { port: '--health-port', host: '--health-host' } };
}
