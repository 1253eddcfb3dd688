/** Returns how many milliseconds ago the API server last confirmed a copy. */
type ReadAge = () => number;

/**
 * How old the copies are that the running watches of a process keep. A copy that has stopped is left out: nobody relies on
 * it.
 */
export class WatchAges {
  readonly #running = new Map<string, Set<ReadAge>>();

  /** Notes a watch of a resource (its plural) that has begun; returns what to call when it has ended. */
  began(resource: string, age: ReadAge): () => void {
    const ages = this.#running.get(resource) ?? new Set();
    this.#running.set(resource, ages.add(age));
    return () => {
      ages.delete(age);
      if (ages.size === 0 && this.#running.get(resource) === ages) this.#running.delete(resource);
    };
  }

  /** Returns the milliseconds of the oldest copy of each resource that is being watched. */
  oldest(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#running].map(([resource, ages]) => [resource, Math.max(...[...ages].map((age) => age()))]),
    );
  }
}
