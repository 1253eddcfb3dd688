/** Those who want to be told of something, in the order in which they said so. */
export class Listeners<Args extends readonly unknown[] = []> {
  readonly #listeners = new Set<(...args: Args) => void>();

  /** Has `listener` called with each notify() from now on. Returns what ends that. */
  add(listener: (...args: Args) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls all of them, one after the other; what one throws, the caller gets, and those behind it are not told. */
  notify(...args: Args): void {
    for (const listener of this.#listeners) listener(...args);
  }
}
