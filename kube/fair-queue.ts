/**
 * A bounded queue in which groups (namespaces, as a rule) take turns: a group that adds a thousand items delays an item of
 * another group by one turn, and loses room before others do.
 */
export class FairQueue<T> {
  readonly #most: number;
  /** In the order of their turns; a group without items is not there. */
  readonly #groups = new Map<string, T[]>();
  #size = 0;

  /** @param most how many items may wait */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Adds an item. Returns the one for which there is no room, if the queue is full: the newest of the group that has
   * most, which may be the one that was to be added.
   */
  add(group: string, item: T): T | undefined {
    const items = this.#groups.get(group) ?? [];
    let dropped: T | undefined;
    if (this.#size >= this.#most) {
      const longest = this.#longest();
      if (longest === undefined || longest[1].length <= items.length + 1) return item;
      dropped = this.#drop(...longest);
    }
    items.push(item);
    this.#groups.set(group, items);
    this.#size++;
    return dropped;
  }

  /** Removes and returns the next item: the oldest of the first group, in the order of turns, that may have one. */
  take(mayHave: (group: string) => boolean = () => true): { readonly group: string; readonly item: T } | undefined {
    for (const [group, items] of this.#groups) {
      if (!mayHave(group)) continue;
      this.#groups.delete(group);
      const item = items.shift() as T;
      this.#size--;
      if (items.length > 0) this.#groups.set(group, items);
      return { group, item };
    }
    return undefined;
  }

  /** Removes all items. */
  clear(): void {
    this.#groups.clear();
    this.#size = 0;
  }

  #longest(): [group: string, items: T[]] | undefined {
    let longest: [string, T[]] | undefined;
    for (const entry of this.#groups) if (longest === undefined || entry[1].length > longest[1].length) longest = entry;
    return longest;
  }

  #drop(group: string, items: T[]): T {
    this.#size--;
    const item = items.pop() as T;
    if (items.length === 0) this.#groups.delete(group);
    return item;
  }
}
