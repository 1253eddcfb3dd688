import type { Clock } from '../../kube/clock.ts';
import { Informer } from '../../kube/informer.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { WatchAges } from '../../kube/watch-ages.ts';
import { identityOf } from '../../core/object.ts';
import type { KubernetesObject, Resource } from '../../core/object.ts';

export interface NamespaceLabelsOptions {
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog | undefined;
  readonly watchAges?: Pick<WatchAges, 'began'> | undefined;
  /** Called when `of` returns something else for some namespace. */
  readonly onChange: () => void;
}

const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces' };

/**
 * The labels of all namespaces: a watch of their metadata, which runs only after start(). Where no platform adds terms
 * about labels to the webhook configuration, nobody starts it.
 */
export class NamespaceLabels {
  readonly #informer: Informer;

  constructor({ client, onChange, ...options }: NamespaceLabelsOptions) {
    this.#informer = new Informer({
      ...options,
      client: {
        list: (resource, page) => client.list(resource, { ...page, metadataOnly: true }),
        watch: (resource, watch) => client.watch(resource, { ...watch, metadataOnly: true }),
      },
      resource: NAMESPACES,
      keep: labelsAlone,
      onChange: (_, object, previous) => {
        if (JSON.stringify(object?.metadata.labels) !== JSON.stringify(previous?.metadata.labels)) onChange();
      },
      onSynced: onChange,
    });
  }

  start(): void {
    this.#informer.start();
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  /** Returns the names of all namespaces; none while they are not known. */
  names(): readonly string[] {
    return this.#informer.list().map(({ metadata }) => metadata.name);
  }

  /** Returns the labels of a namespace, none if there is no such namespace; undefined while they are not known. */
  of(namespace: string): Readonly<Record<string, string>> | undefined {
    if (!this.#informer.synced) return undefined;
    return this.#informer.get(namespace)?.metadata.labels ?? {};
  }
}

function labelsAlone({ apiVersion, kind, metadata }: KubernetesObject): KubernetesObject {
  const { labels } = metadata;
  return { apiVersion, kind, metadata: { ...identityOf(metadata), ...(labels !== undefined && { labels }) } };
}
