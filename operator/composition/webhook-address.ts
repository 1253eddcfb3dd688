import type { Place } from '../../kube/listen.ts';
import type { WebhookTarget } from '../../webhook/configuration/configuration.ts';
import type { Settings } from '../settings.ts';

/** Returns how API servers reach the webhook: by its Service, or by the URL in the settings. */
export function targetOf(settings: Settings): WebhookTarget {
  if (settings.webhookUrl !== '') return { url: settings.webhookUrl };
  const { webhookService: name, namespace, webhookServicePort: port } = settings;
  return { service: { name, namespace, port } };
}

/** Returns how API servers reach the webhook, for people. */
export function shownTarget(target: WebhookTarget): string {
  if ('url' in target) return target.url;
  const { name, namespace, port } = target.service;
  return `service ${name}.${namespace}:${port}`;
}

/** Returns the names by which API servers call the webhook; the one that they verify in the certificate comes first. */
export function namesOf(target: WebhookTarget): readonly string[] {
  if ('url' in target) return [new URL(target.url).hostname.replace(/^\[|\]$/g, '')];
  const { name, namespace } = target.service;
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`];
}

/** Returns where the webhook listens: only on loopback if it is called there. */
export function webhookPlace({ webhookPort: port, webhookHost, webhookUrl }: Settings): Place {
  const settings = { port: '--webhook-port', host: '--webhook-host' };
  if (webhookHost !== '') return { port, host: webhookHost, settings };
  const called = webhookUrl === '' ? '' : new URL(webhookUrl).hostname;
  const isLoopback = called.startsWith('127.') || called === 'localhost';
  return { port, host: isLoopback ? called : undefined, settings };
}

/** Returns where probes and metrics are served. */
export function healthPlace({ healthPort: port, healthHost }: Settings): Place {
  return { port, host: healthHost || undefined, settings: { port: '--health-port', host: '--health-host' } };
}
