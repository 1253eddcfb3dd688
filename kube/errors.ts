import { ApiError } from './object-client.ts';

// A server that asks for an hour would keep the rules stale for an hour.
const LONGEST_RETRY_AFTER_MS = 120_000;

/** Milliseconds that the server asked to be left alone, at most two minutes; 0 where it did not ask. */
export function retryAfterOf(error: unknown): number {
  const asked = error instanceof ApiError ? error.retryAfterMs : undefined;
  return Math.min(asked ?? 0, LONGEST_RETRY_AFTER_MS);
}

/** True when the version to resume from is gone, so that only a new list helps (410 Gone, reason Expired). */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}

/**
 * What a log line says of an error. Errors of the API are known to hold no credentials; of any other only name, message
 * and stack are taken, because libraries hang whole requests with their tokens on an error's other properties.
 */
export function describeError(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof Error) return error.stack ?? `${error.name}: ${error.message}`;
  return `a ${typeof error} was thrown`;
}
