import { isConflict, isNotFound } from '../../kube/errors.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { CONFIGURATIONS, FIELD_MANAGER } from './configuration.ts';
import type { WebhookConfiguration } from './configuration.ts';
import { isAsDesired, withExactEntries } from './observed.ts';

/**
 * Stores the configuration. Resolves with it as it is stored; with undefined if somebody wrote in between. Rejects with
 * ApiError.
 *
 * @param object what is wanted, with the additions of others that may stay
 * @param desired what is wanted without them
 */
export async function storeConfiguration(
  client: Pick<ObjectClient, 'apply' | 'replace'>,
  object: WebhookConfiguration,
  desired: WebhookConfiguration,
): Promise<WebhookConfiguration | undefined> {
  const written = await client.apply<WebhookConfiguration>(CONFIGURATIONS, object, { fieldManager: FIELD_MANAGER });
  if (isAsDesired(written, desired)) return written;
  try {
    // apply reverts fields, but does not remove those that this version does not know
    return await client.replace<WebhookConfiguration>(CONFIGURATIONS, withExactEntries(written, object));
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return undefined;
    throw error;
  }
}
