import { ApiError } from './object-client.ts';

// A server that asks for an hour would keep the rules stale for an hour.
const LONGEST_RETRY_AFTER_MS = 120_000;

/** Milliseconds that the server asked to be left alone, at most two minutes; 0 where it did not ask. */
export function retryAfterOf(error: unknown): number {
  const asked = error instanceof ApiError ? error.retryAfterMs : undefined;
  return Math.min(asked ?? 0, LONGEST_RETRY_AFTER_MS);
}

/** There is no such object (404); of a create, no such namespace. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404;
}

/** Somebody else was faster (409): another version is stored, or the name is taken. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.code === 409;
}

/** The caller has no right to it, or an admission says no (403). */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.code === 403;
}

/**
 * The request was refused (4xx) and would be refused again: somebody has to change something first. Not so of a conflict
 * (409) and of too many requests (429), which time mends.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.code === 409 || error.code === 429) return false;
  return error.code >= 400 && error.code < 500;
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
