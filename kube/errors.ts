import { ApiError } from './object-client.ts';

// A server that asks for an hour would keep the rules stale for an hour.
const LONGEST_RETRY_AFTER_MS = 120_000;

/** Returns the milliseconds that the server asked to wait (Retry-After), at most two minutes; 0 if it did not ask. */
export function retryAfterOf(error: unknown): number {
  const asked = error instanceof ApiError ? error.retryAfterMs : undefined;
  return Math.min(asked ?? 0, LONGEST_RETRY_AFTER_MS);
}

/** The object does not exist (404); for a create, the namespace. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404;
}

/** Conflict (409): another version is stored, or the name is taken. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.code === 409;
}

/** The caller lacks permission, or an admission denied it (403). */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.code === 403;
}

/**
 * The request was refused (4xx) and would be refused again until somebody changes something. Not true of a conflict
 * (409) or too many requests (429), which pass with time.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.code === 409 || error.code === 429) return false;
  return error.code >= 400 && error.code < 500;
}

/** Whether the version to resume from is gone, so that only a new list helps (410 Gone, reason Expired). */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}

/**
 * Describes an error for the log. API errors are known to hold no credentials; from any other it takes only name,
 * message and stack, because libraries attach whole requests with tokens to an error's other properties.
 */
export function describeError(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof Error) return error.stack ?? `${error.name}: ${error.message}`;
  return `a ${typeof error} was thrown`;
}

/**
 * Returns what kind of failure it is in one word: the reason of the API server, such as Forbidden, else its status, or the
 * name of the error.
 */
export function failureOf(error: unknown): string {
  if (error instanceof ApiError) return error.reason === '' ? String(error.code) : error.reason;
  return error instanceof Error ? error.name : typeof error;
}
