import type { ObjectClient } from '../../kube/object-client.ts';
import { CONFIGURATION_NAME, CONFIGURATIONS } from './configuration.ts';
import type { WebhookConfiguration } from './configuration.ts';

/** Resolves with the configuration as it is now; undefined if there is none. Rejects with ApiError. */
export async function findConfiguration(client: Pick<ObjectClient, 'list'>): Promise<WebhookConfiguration | undefined> {
  const fieldSelector = `metadata.name=${CONFIGURATION_NAME}`;
  return (await client.list<WebhookConfiguration>(CONFIGURATIONS, { fieldSelector })).items[0];
}
