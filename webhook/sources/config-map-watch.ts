import type { Clock } from '../../kube/clock.ts';
import { Informer } from '../../kube/informer.ts';
import { keyOf, partsOfKey } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { coreResource } from '../../core/resources.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Store } from '../../kube/object-store.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import type { Logger } from '../../kube/log.ts';
import type { WatchAges } from '../../kube/watch-ages.ts';

export interface WatchOptions {
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog | undefined;
  readonly watchAges?: Pick<WatchAges, 'began'> | undefined;
}

/**
 * The versions of the ConfigMaps in use, by one watch of the cluster. Only their metadata is listed and watched: those in
 * use are read when they change, and the others, which may be megabytes, never are. Nothing is kept of those.
 */
export class ConfigMapWatch {
  readonly #onChange: (namespace: string, name: string) => void;
  /** By `namespace/name` of those in use. */
  readonly #used = new Map<string, KnownVersion | undefined>();
  readonly #informer: Informer;

  /** @param onChange called when known() returns something else for a ConfigMap in use */
  constructor({ client, ...options }: WatchOptions, onChange: (namespace: string, name: string) => void) {
    this.#onChange = onChange;
    this.#informer = new Informer({
      ...options,
      client: {
        list: (resource, page) => client.list(resource, { ...page, metadataOnly: true }),
        watch: (resource, watch) => client.watch(resource, { ...watch, metadataOnly: true }),
      },
      resource: coreResource('ConfigMap'),
      store: this.#store(),
      onChange: () => undefined, // the store has noted it
    });
  }

  get synced(): boolean {
    return this.#informer.synced;
  }

  /** Whether any ConfigMap is in use. */
  get isUsed(): boolean {
    return this.#used.size > 0;
  }

  /** From now on its changes are noticed. What was read of it before may be outdated. */
  use(namespace: string, name: string): void {
    const key = keyOf({ namespace, name });
    if (!this.#used.has(key)) this.#used.set(key, undefined);
  }

  forget(namespace: string, name: string): void {
    this.#used.delete(keyOf({ namespace, name }));
  }

  /** Returns undefined if nothing was seen of it since it came into use. */
  known(namespace: string, name: string): KnownVersion | undefined {
    return this.#used.get(keyOf({ namespace, name }));
  }

  start(): void {
    this.#informer.start();
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  #store(): Store<KubernetesObject> {
    const note = (key: string, version: string | undefined): readonly never[] => {
      if (this.#used.has(key)) this.#note(key, version);
      return [];
    };
    return {
      get: () => undefined, // it keeps versions, and no objects
      list: () => [],
      put: ({ metadata }) => note(keyOf(metadata), metadata.resourceVersion),
      remove: ({ metadata }) => note(keyOf(metadata), undefined),
      retain: (listed) => [...this.#used.keys()].flatMap((key) => (listed.has(key) ? [] : note(key, undefined))),
    };
  }

  #note(key: string, version: string | undefined): void {
    const known = this.#used.get(key);
    if (known !== undefined && known.version === version) return;
    this.#used.set(key, { version });
    const { namespace, name } = partsOfKey(key);
    this.#onChange(namespace, name);
  }
}

/** metadata.resourceVersion of a ConfigMap; undefined: there is none of that name. */
export interface KnownVersion {
  readonly version: string | undefined;
}
