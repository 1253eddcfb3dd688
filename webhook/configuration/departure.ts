import { mark } from '../../core/marks.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { coreResource } from '../../core/resources.ts';
import { parseUninstalling } from '../../core/uninstalling.ts';
import type { Uninstalling } from '../../core/uninstalling.ts';
import type { Clock } from '../../kube/clock.ts';
import { describeError } from '../../kube/errors.ts';
import { Informer } from '../../kube/informer.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { SECRET_NAME } from '../certificates/secret.ts';
import type { Owner } from './owner.ts';

export interface DepartureOptions {
  readonly client: Pick<ObjectClient, 'get' | 'list' | 'watch'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog | undefined;
  /** The operator's own. */
  readonly namespace: string;
  readonly owner: Pick<Owner, 'uid'>;
}

/** NamespaceDeleted: the operator's namespace is being deleted, which nobody can take back. */
export type Leaving = Uninstalling | 'NamespaceDeleted';

/**
 * Whether this installation is being removed while the process still runs. Every replica finds out for itself: the
 * webhook configuration must not come back, and no admission may wait for a webhook that is about to be gone.
 */
export class Departure {
  readonly #options: DepartureOptions;
  readonly #namespace: Informer;
  readonly #secret: Informer;
  readonly #listeners = new Listeners();
  #isNamespaceDeleted = false;
  /** The mark of the Secret, and the one that this process has found when it started (null: it has not looked yet). */
  #mark: string | undefined;
  #atStart: string | undefined | null = null;
  #uninstalling: Uninstalling | undefined;

  constructor(options: DepartureOptions) {
    this.#options = options;
    const { client, namespace } = options;
    const metadataOf: Pick<ObjectClient, 'list' | 'watch'> = {
      list: (resource, page) => client.list(resource, { ...page, metadataOnly: true }),
      watch: (resource, watch) => client.watch(resource, { ...watch, metadataOnly: true }),
    };
    this.#namespace = new Informer({
      ...options,
      client: metadataOf,
      resource: coreResource('Namespace'),
      fieldSelector: `metadata.name=${namespace}`,
      onChange: (_, object) => this.#sawNamespace(object),
    });
    this.#secret = new Informer({
      ...options,
      client: metadataOf,
      resource: coreResource('Secret', namespace),
      fieldSelector: `metadata.name=${SECRET_NAME}`,
      onChange: (_, object) => this.#sawSecret(object),
      onSynced: () => this.#sawMark(this.#mark),
    });
  }

  start(): void {
    this.#namespace.start();
    this.#secret.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#namespace.stop(), this.#secret.stop()]);
  }

  /** Undefined: the installation stays. */
  get state(): Leaving | undefined {
    return this.#isNamespaceDeleted ? 'NamespaceDeleted' : this.#uninstalling;
  }

  /** Returns that the installation is being removed, and how to keep it, for people; undefined: it stays. */
  describe(): string | undefined {
    const { namespace } = this.#options;
    if (this.#isNamespaceDeleted)
      return `the namespace of the operator (${namespace}) is being deleted: nothing is injected`;
    if (this.#uninstalling === undefined) return undefined;
    const then = this.#uninstalling === 'Restore' ? ', and admission gives workloads their templates back' : '';
    const keep = `kubectl annotate secret ${SECRET_NAME} -n ${namespace} ${mark.uninstalling}-`;
    return `the operator is being uninstalled: nothing is injected any more${then}; to keep it, ${keep}`;
  }

  /** Calls `listener` after changes of `state`. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the mark now, and resolves with `state`: before a write that an uninstall must not meet. Rejects with ApiError. */
  async confirm(): Promise<Leaving | undefined> {
    const { client, namespace } = this.#options;
    this.#sawSecret(await client.get(coreResource('Secret', namespace), SECRET_NAME));
    await this.#judge();
    return this.state;
  }

  #sawNamespace(object: KubernetesObject | undefined): void {
    if (object?.metadata.deletionTimestamp === undefined || this.#isNamespaceDeleted) return;
    this.#isNamespaceDeleted = true;
    this.#listeners.notify();
  }

  #sawSecret(object: KubernetesObject | undefined): void {
    this.#sawMark(object?.metadata.annotations?.[mark.uninstalling]);
  }

  #sawMark(value: string | undefined): void {
    if (this.#atStart === null) this.#atStart = value;
    if (value === undefined && this.#mark === undefined) return;
    this.#mark = value;
    this.#judge().catch((error: unknown) => {
      // it is asked again before each write
      this.#options.logger.warn(
        { error: describeError(error) },
        'could not find out whether the operator is uninstalled',
      );
    });
  }

  async #judge(): Promise<void> {
    const value = this.#mark;
    const uid = value === undefined ? undefined : await this.#options.owner.uid();
    // what came meanwhile is judged by itself
    if (value !== this.#mark) return;
    const next = parseUninstalling(value, { uid, wasThere: value === this.#atStart });
    if (next === this.#uninstalling) return;
    this.#uninstalling = next;
    const said = this.describe();
    if (said === undefined) this.#options.logger.info('the operator is not being uninstalled any more');
    else this.#options.logger.warn(said);
    this.#listeners.notify();
  }
}
