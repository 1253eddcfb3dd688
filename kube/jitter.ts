/**
 * Milliseconds until something that is done again and again is due once more: `ms`, give or take a tenth, so that
 * replicas and objects that began together do not come together for ever. `random` as Math.random().
 */
export function jittered(ms: number, random: () => number): number {
  return ms * (0.9 + 0.2 * random());
}
