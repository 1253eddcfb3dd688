import type { Clock } from '../../kube/clock.ts';
import { Informer } from '../../kube/informer.ts';
import { keyOf, partsOfKey } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { coreResource } from '../../core/resources.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';

export interface WatchOptions {
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * The versions of the ConfigMaps of one namespace. Only their metadata is listed and watched: those in use are read
 * when they change, and the others, which may be megabytes, never are.
 */
export class ConfigMapWatch {
  readonly #namespace: string;
  readonly #informer: Informer;

  constructor(
    namespace: string,
    { client, ...options }: WatchOptions,
    onChange: (name: string) => void,
    onSynced: () => void,
  ) {
    this.#namespace = namespace;
    this.#informer = new Informer({
      ...options,
      client: {
        list: (resource, page) => client.list(resource, { ...page, metadataOnly: true }),
        watch: (resource, watch) => client.watch(resource, { ...watch, metadataOnly: true }),
      },
      resource: coreResource('ConfigMap', namespace),
      keep: versionOf,
      onChange: (key) => onChange(partsOfKey(key).name),
      onSynced,
    });
  }

  get synced(): boolean {
    return this.#informer.synced;
  }

  /** Returns metadata.resourceVersion; undefined if there is no such ConfigMap. */
  versionOf(name: string): string | undefined {
    return this.#informer.get(keyOf({ namespace: this.#namespace, name }))?.metadata.resourceVersion;
  }

  start(): void {
    this.#informer.start();
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }
}

function versionOf({ apiVersion, kind, metadata }: KubernetesObject): KubernetesObject {
  const { name, namespace, uid, resourceVersion } = metadata;
  const given = Object.entries({ namespace, uid, resourceVersion }).filter(([, value]) => value !== undefined);
  return { apiVersion, kind, metadata: { name, ...Object.fromEntries(given) } };
}
