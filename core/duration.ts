const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/**
 * Returns the milliseconds of a Go duration such as 1m30s, 500ms or 2h (units h, m, s, ms in this order; whole
 * numbers), or undefined if `text` is not one. `0s` is 0.
 */
export function parseDuration(text: string): number | undefined {
  const parts = /^(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,6})s)?(?:(\d{1,9})ms)?$/.exec(text);
  if (parts === null || text === '') return undefined;
  return ['h', 'm', 's', 'ms'].reduce((sum, unit, at) => sum + Number(parts[at + 1] ?? 0) * (UNIT_MS[unit] ?? 0), 0);
}
