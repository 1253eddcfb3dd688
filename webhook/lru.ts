interface Entry<V> {
  readonly value: V;
  readonly weight: number;
  readonly group: string;
}

interface Group {
  weight: number;
  /** The least recently used first. */
  readonly keys: Set<string>;
}

/**
 * A map of bounded weight. What is too much is taken from the group (a namespace, as a rule) that holds most: its least
 * recently used entries. So nobody can fill the map at the expense of others.
 */
export class Lru<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #groups = new Map<string, Group>();
  readonly #limit: number;
  readonly #weigh: (value: V) => number;
  #weight = 0;

  /** Without `weigh` every value weighs 1, and the limit is a number of entries. */
  constructor(limit: number, weigh: (value: V) => number = () => 1) {
    this.#limit = limit;
    this.#weigh = weigh;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    // a Set keeps insertion order: a reinserted key is the most recent
    const { keys } = this.#groupOf(entry.group);
    keys.delete(key);
    keys.add(key);
    return entry.value;
  }

  /** @param group who has the value kept; default: all are one group */
  set(key: string, value: V, group = ''): void {
    this.delete(key);
    const weight = this.#weigh(value);
    if (weight > this.#limit) return;
    this.#entries.set(key, { value, weight, group });
    const { keys } = this.#add(group, weight);
    keys.add(key);
    while (this.#weight > this.#limit) this.#evict();
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const group = this.#add(entry.group, -entry.weight);
    group.keys.delete(key);
    if (group.keys.size === 0) this.#groups.delete(entry.group);
  }

  #groupOf(name: string): Group {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const group = { weight: 0, keys: new Set<string>() };
    this.#groups.set(name, group);
    return group;
  }

  #add(name: string, weight: number): Group {
    const group = this.#groupOf(name);
    group.weight += weight;
    this.#weight += weight;
    return group;
  }

  /** Takes from the heaviest group until there is room, or another one is the heaviest. */
  #evict(): void {
    let heaviest: Group | undefined;
    let next = 0;
    for (const group of this.#groups.values()) {
      if (heaviest === undefined || group.weight > heaviest.weight) {
        next = heaviest?.weight ?? 0;
        heaviest = group;
      } else next = Math.max(next, group.weight);
    }
    for (const oldest of heaviest?.keys ?? []) {
      this.delete(oldest);
      if (this.#weight <= this.#limit || (heaviest?.weight ?? 0) < next) return;
    }
  }
}
