import { asObject, asString } from '../core/json.ts';
import type { ApiClient } from './api-client.ts';
import { ApiError } from './object-client.ts';

/** Resolves with the version of the API server, such as v1.37.2. Rejects with ApiError. */
export async function serverVersion(client: Pick<ApiClient, 'document'>): Promise<string> {
  const version = asString(asObject(await client.document('/version'))?.gitVersion);
  if (version === undefined) throw new ApiError(0, 'UnexpectedAnswer', 'GET /version: the answer names no version');
  return version;
}
