/**
 * How many objects to ask for at once. A page is parsed in one piece and held whole, so its length has a bound in bytes,
 * and the authors of objects decide how long each of them is: 50 workloads are 0.6 MB or 75.
 */

// Parsed in about 30 ms. An object alone may be longer: API servers accept 3 MiB.
const PAGE_BYTES = 3 * 1024 * 1024;
// For what cannot be divided: a list without pages, and a page of one object.
const MOST_BYTES = 32 * 1024 * 1024;
// Parsed in about 30 ms, however short they are.
const PAGE_ELEMENTS = 150_000;
const SMALLER = 8;
const LARGER = 2;

/** In bytes. */
export interface PageLimits {
  /** For a page of several objects. */
  readonly page: number;
  /** For what cannot be divided. */
  readonly most: number;
}

/** What an answer may have. */
export interface PageBounds {
  readonly bytes: number;
  /** Fields and elements of lists. */
  readonly elements: number;
}

export const NO_BOUNDS: PageBounds = { bytes: Infinity, elements: Infinity };

/** Remembers for each list what fits, for as long as that is less than what is asked for. */
export class PageSizes {
  readonly #limits: PageLimits;
  readonly #fitting = new Map<string, number>();

  constructor(limits: PageLimits = { page: PAGE_BYTES, most: MOST_BYTES }) {
    this.#limits = limits;
  }

  /** Returns how many objects to ask for next in the list at this path. `wanted` is undefined for all at once. */
  next(path: string, wanted: number | undefined): number | undefined {
    return wanted === undefined ? undefined : Math.min(this.#fitting.get(path) ?? wanted, wanted);
  }

  /** Returns the most that the answer with so many objects may have. */
  mostOf(count: number | undefined): PageBounds {
    return count === undefined || count === 1
      ? { bytes: this.#limits.most, elements: Infinity }
      : { bytes: this.#limits.page, elements: PAGE_ELEMENTS };
  }

  /** The answer with so many objects was too long; returns whether a smaller one can be asked for. */
  tooLong(path: string, count: number | undefined): boolean {
    if (count === undefined || count === 1) return false;
    this.#fitting.set(path, Math.max(1, Math.floor(count / SMALLER)));
    return true;
  }

  /** The answer fitted: the next page may be larger. */
  fitted(path: string, count: number | undefined, wanted: number | undefined): void {
    if (count === undefined || wanted === undefined || !this.#fitting.has(path)) return;
    if (count * LARGER < wanted) this.#fitting.set(path, count * LARGER);
    else this.#fitting.delete(path);
  }
}
