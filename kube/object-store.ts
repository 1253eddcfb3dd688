import { keyOf } from '../core/object.ts';
import type { KubernetesObject } from '../core/object.ts';

/** `object` is the current state (undefined: deleted), `previous` the one before (undefined: none). */
export interface Change<T extends KubernetesObject> {
  readonly key: string;
  readonly object: T | undefined;
  readonly previous: T | undefined;
}

/** What an informer keeps of a resource. Each method that takes something returns what that has changed. */
export interface Store<T extends KubernetesObject> {
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Takes one object, from a list or an event. */
  put(object: T): readonly Change<T>[];
  /** Removes one object; `last` is its last state. */
  remove(last: T): readonly Change<T>[];
  /**
   * Removes all but those with these keys, which a whole list has brought: they were deleted while there was no watch.
   * Yields what each step has changed; the next one may be taken much later.
   *
   * @param version of the list
   */
  retain(listed: ReadonlySet<string>, version: string): Iterable<readonly Change<T>[]>;
}

/** All objects of one resource as last seen. */
export class ObjectStore<T extends KubernetesObject> implements Store<T> {
  readonly #objects = new Map<string, T>();

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  *retain(listed: ReadonlySet<string>): Generator<Change<T>[]> {
    for (const [key, object] of this.#objects) if (!listed.has(key)) yield this.remove(object);
  }

  /**
   * Takes one object; returns no change if it is already known, two if another object has taken its name. A known one is
   * not replaced: the garbage collector would have to move each of the thousands that a list brings again.
   */
  put(object: T): Change<T>[] {
    const key = keyOf(object.metadata);
    const previous = this.#objects.get(key);
    if (previous !== undefined && isSame(previous, object)) return [];
    this.#objects.set(key, object);
    if (previous === undefined) return [{ key, object, previous }];
    if (previous.metadata.uid !== object.metadata.uid) {
      return [
        { key, object: undefined, previous },
        { key, object, previous: undefined },
      ];
    }
    return [{ key, object, previous }];
  }

  remove(last: T): Change<T>[] {
    const key = keyOf(last.metadata);
    return this.#objects.delete(key) ? [{ key, object: undefined, previous: last }] : [];
  }
}

/** A resourceVersion stands for one state of one object, unless an etcd was restored from a backup. */
function isSame({ metadata: a }: KubernetesObject, { metadata: b }: KubernetesObject): boolean {
  return a.uid === b.uid && a.resourceVersion === b.resourceVersion && a.generation === b.generation;
}
