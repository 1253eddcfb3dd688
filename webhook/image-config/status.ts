import { retryAfterMs } from '../../core/retry-after.ts';
import { ImageFailure } from './failure.ts';
import type { Reply } from './http.ts';

// If a registry asked for a day, its images would be unknown for a day.
const LONGEST_REST_MS = 600_000;

/**
 * Returns the failure for a status other than 200 (distribution.github.io/distribution/spec/api, "Errors"). It does not
 * read the body.
 */
export function failureOfStatus({ status, headers }: Pick<Reply, 'status' | 'headers'>, host: string): ImageFailure {
  switch (status) {
    case 401:
    case 403:
      return new ImageFailure('Unauthorized', `${host} refuses it`);
    case 404:
      return new ImageFailure('NotFound', `${host} has no such image`);
    case 429:
      return new ImageFailure('RateLimited', `${host} limits the rate of requests`, restOf(headers));
    case 503:
      return new ImageFailure('Unreachable', `${host} answers 503`, restOf(headers));
    default:
      return new ImageFailure(status >= 500 ? 'Unreachable' : 'Unusable', `${host} answers ${status}`);
  }
}

function restOf({ date, 'retry-after': value }: Reply['headers']): number | undefined {
  const ms = typeof value === 'string' ? retryAfterMs(value, String(date)) : undefined;
  return ms === undefined ? undefined : Math.min(ms, LONGEST_REST_MS);
}
