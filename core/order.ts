/**
 * The order of two texts by their code units, for sort(): a negative number, 0 or a positive one. No locale changes it,
 * so all replicas sort alike.
 */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
