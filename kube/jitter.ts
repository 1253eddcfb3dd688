/**
 * Returns the milliseconds until something periodic is due again: `ms`, give or take a tenth, so that replicas and
 * objects that started together drift apart. `random` is like Math.random().
 */
export function jittered(ms: number, random: () => number): number {
  return ms * (0.9 + 0.2 * random());
}
