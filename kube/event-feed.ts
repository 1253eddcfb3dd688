import { ResourceEventType, ResourceMetaImpl } from '@dot-i/k8s-operator';
import type { ResourceEvent } from '@dot-i/k8s-operator';

import type { KubernetesObject } from '../core/object.ts';

/** The library's type of an object, which knows no read-only fields. */
export type LibraryObject = ResourceEvent['object'];

export interface EventFeedOptions {
  readonly plural: string;
  /** What there is now. */
  readonly current: (key: string) => KubernetesObject | undefined;
  readonly onEvent: (event: ResourceEvent) => Promise<void>;
}

/**
 * Makes the library's events of what has changed since a handler was last told: states that nobody has seen in between
 * are left out, but no Deleted is. What a handler rejects was not told, so the next tell() tells it again.
 */
export class EventFeed {
  readonly #options: EventFeedOptions;
  readonly #told = new Map<string, KubernetesObject>();
  readonly #ended = new Map<string, KubernetesObject>();

  constructor(options: EventFeedOptions) {
    this.#options = options;
  }

  /** Keeps how an object looked at its end, for the Deleted that will tell of it. */
  noteEnd(key: string, last: KubernetesObject): void {
    this.#ended.set(key, last);
  }

  /** Brings the handler up to date. Rejects with what the handler rejects with. */
  async tell(key: string): Promise<void> {
    const now = this.#options.current(key);
    const ended = this.#ended.get(key);
    const told = this.#told.get(key);
    if (told !== undefined && told.metadata.uid !== now?.metadata.uid) {
      const seenToEnd = ended !== undefined && ended.metadata.uid === told.metadata.uid;
      await this.#emit(ResourceEventType.Deleted, seenToEnd ? ended : told);
      this.#told.delete(key);
    }
    if (this.#ended.get(key) === ended) this.#ended.delete(key);
    if (now === undefined) return;
    const known = this.#told.get(key);
    if (known?.metadata.resourceVersion === now.metadata.resourceVersion) return;
    await this.#emit(known === undefined ? ResourceEventType.Added : ResourceEventType.Modified, now);
    this.#told.set(key, now);
  }

  #emit(type: ResourceEventType, object: KubernetesObject): Promise<void> {
    const theirs = object as unknown as LibraryObject;
    const meta = ResourceMetaImpl.createWithPlural(this.#options.plural, theirs);
    return this.#options.onEvent({ type, meta, object: theirs });
  }
}
