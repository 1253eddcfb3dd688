/** Listeners for something, in the order in which they were added. */
export class Listeners<Args extends readonly unknown[] = []> {
  readonly #listeners = new Set<(...args: Args) => void>();

  /** Calls `listener` with each notify() from now on. Returns a function that removes it. */
  add(listener: (...args: Args) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls all listeners in order. Throws what a listener throws; those after it are not called. */
  notify(...args: Args): void {
    for (const listener of this.#listeners) listener(...args);
  }
}
