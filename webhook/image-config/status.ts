import { ImageFailure } from './failure.ts';
import type { Reply } from './http.ts';

// A registry that asks for a day would keep its images unknown for a day.
const LONGEST_REST_MS = 600_000;

/** What a status other than 200 says (distribution.github.io/distribution/spec/api, "Errors"). The body stays unread. */
export function failureOfStatus({ status, headers }: Pick<Reply, 'status' | 'headers'>, host: string): ImageFailure {
  switch (status) {
    case 401:
    case 403:
      return new ImageFailure('Unauthorized', `${host} refuses it`);
    case 404:
      return new ImageFailure('NotFound', `${host} has no such image`);
    case 429:
      return new ImageFailure('RateLimited', `${host} has had too many requests`, retryAfterOf(headers));
    case 503:
      return new ImageFailure('Unreachable', `${host} answers 503`, retryAfterOf(headers));
    default:
      return new ImageFailure(status >= 500 ? 'Unreachable' : 'Unusable', `${host} answers ${status}`);
  }
}

/**
 * Milliseconds of a Retry-After, given in seconds or as a date (RFC 9110, 10.2.3), which counts from the server's own; at
 * most ten minutes.
 */
export function retryAfterOf(headers: Reply['headers']): number | undefined {
  const { date, 'retry-after': value } = headers;
  if (typeof value !== 'string') return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(String(date));
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_REST_MS);
}
