/**
 * Returns the milliseconds to wait by a server's header Retry-After: seconds, or a date (RFC 9110, 10.2.3). A date is
 * relative to the server's own clock (its header Date), so a wrong clock on either side does not matter. Returns
 * undefined if the header is missing or cannot be parsed; never a negative number.
 */
export function retryAfterMs(value: string | undefined, date?: string): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.parse(date ?? '');
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
