/**
 * Seeded randomness for tests that try many templates: the same seed yields the same case, so a failure can be
 * repeated.
 */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** mulberry32: a number from 0 up to 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from 0 to `max`. */
  upTo(max: number): number {
    return Math.floor(this.next() * (max + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.upTo(items.length - 1)] ?? items[0];
  }

  /** Each of the items or not. */
  some<T>(items: readonly T[], probability = 0.5): T[] {
    return items.filter(() => this.chance(probability));
  }

  words(pool: readonly [string, ...string[]], max: number): string[] {
    return Array.from({ length: 1 + this.upTo(max - 1) }, () => this.pick(pool));
  }
}

/** JSON of any kind and shape, a few levels deep, with keys that code is likely to look at. */
export function randomJson(random: Random, keys: readonly [string, ...string[]], depth = 5): unknown {
  const kind = random.upTo(depth > 0 ? 9 : 4);
  if (kind === 0) return null;
  if (kind === 1) return random.chance(0.5);
  if (kind === 2) return random.upTo(9) - 4;
  if (kind <= 4)
    return random.pick(['', '--', 'vault-env', '/vault-env/vault-env', '/vault-env', 'vault:a#b', '{"v":1}']);
  if (kind <= 6) return Array.from({ length: random.upTo(3) }, () => randomJson(random, keys, depth - 1));
  return Object.fromEntries(random.words(keys, 6).map((key) => [key, randomJson(random, keys, depth - 1)]));
}
