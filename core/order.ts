/**
 * Compares two texts by their code units, for sort(): returns a negative number, 0 or a positive one. It does not
 * depend on a locale, so all replicas sort alike.
 */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
