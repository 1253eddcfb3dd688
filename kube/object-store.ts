import { keyOf } from '../core/object.ts';
import type { KubernetesObject } from '../core/object.ts';

/** `object` is the current state (undefined: deleted), `previous` the one before (undefined: none). */
export interface Change<T extends KubernetesObject> {
  readonly key: string;
  readonly object: T | undefined;
  readonly previous: T | undefined;
}

/** The objects of one resource as last seen; returns what each list or event changed. */
export class ObjectStore<T extends KubernetesObject> {
  #objects = new Map<string, T>();

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** Takes a whole list. What is missing from it was deleted while there was no watch. */
  replace(items: readonly T[]): Change<T>[] {
    const listed = new Set(items.map(({ metadata }) => keyOf(metadata)));
    const vanished = this.list().filter(({ metadata }) => !listed.has(keyOf(metadata)));
    return [...vanished.flatMap((object) => this.remove(object)), ...items.flatMap((object) => this.put(object))];
  }

  /** Takes one object; returns no change if it is already known, two if another object has taken its name. */
  put(object: T): Change<T>[] {
    const key = keyOf(object.metadata);
    const previous = this.#objects.get(key);
    this.#objects.set(key, object);
    if (previous === undefined) return [{ key, object, previous }];
    if (previous.metadata.uid !== object.metadata.uid) {
      return [
        { key, object: undefined, previous },
        { key, object, previous: undefined },
      ];
    }
    const known = previous.metadata.resourceVersion === object.metadata.resourceVersion;
    return known ? [] : [{ key, object, previous }];
  }

  /** Removes one object; `last` is its last state. */
  remove(last: T): Change<T>[] {
    const key = keyOf(last.metadata);
    return this.#objects.delete(key) ? [{ key, object: undefined, previous: last }] : [];
  }
}
