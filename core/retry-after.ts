/**
 * Milliseconds that a server asks to be left alone, by its header Retry-After: seconds, or a date (RFC 9110, 10.2.3).
 * A date counts from the server's own (its header Date): whoever's clock is wrong waits as long as the others.
 * Undefined where it asks for nothing, or for what cannot be read; never negative.
 */
export function retryAfterMs(value: string | undefined, date?: string): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(date ?? '');
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
