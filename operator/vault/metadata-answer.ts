import type { MetadataAnswer } from './metadata-port.ts';

/**
 * Reads the response of MOUNT/metadata/PATH
 * (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-metadata). It uses only the number of the
 * newest version and whether that one exists. Returns undefined if the response is about the whole Vault, not about
 * this path.
 */
export function metadataOfAnswer(status: number, body: unknown, now: number): MetadataAnswer | undefined {
  if (isAboutVault(status)) return undefined;
  if (status === 403) return { kind: 'Forbidden' };
  if (status === 404) return { kind: 'Missing' };
  if (status !== 200) return { kind: 'Unexpected', status };
  const data = fields(fields(body).data);
  const version = data.current_version;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0)
    return { kind: 'Unexpected', status };
  // Metadata can be written before the first value.
  if (version === 0) return { kind: 'Missing' };
  const { deletion_time: deletedAt, destroyed } = fields(fields(data.versions)[String(version)]);
  return destroyed === true || isPast(deletedAt, now) ? { kind: 'Deleted' } : { kind: 'Version', version };
}

// 412: a replica that lags behind; 429: too many requests, or a standby; 472 and 473: standbys; 502 to 504: a proxy
// without Vault behind it, or a sealed one. As far as we know, 500 is about the request.
function isAboutVault(status: number): boolean {
  return [412, 429, 472, 473, 502, 503, 504].includes(status);
}

/** With delete_version_after, each version has the time of its deletion from the start. */
function isPast(time: unknown, now: number): boolean {
  return typeof time === 'string' && time !== '' && !(Date.parse(time) > now);
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
