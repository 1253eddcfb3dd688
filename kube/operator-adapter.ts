/**
 * The one file that knows @dot-i/k8s-operator. It keeps the library's base class `Operator` with its shape: `start()`
 * calls `init()`, which calls `watchResource()` with a handler of `ResourceEvent`s. It replaces everything below:
 *
 * - its watch loop ends the process on any watch error, misses deletions while the watch is down, and swallows a
 *   handler's rejections: here an Informer watches, and a WorkQueue calls the handler and retries;
 * - its status writer sends a resourceVersion and does not work with client-node 2: here it is a server-side apply;
 * - its `stop()` makes the process exit with status 1: here it waits for running handlers;
 * - its finalizers and its registration of CRDs report success whatever happens: here they are refused.
 *
 * ADR 2 has the measurements.
 */
import OperatorModule, { ResourceEventType, ResourceMetaImpl } from '@dot-i/k8s-operator';
import type { OperatorLogger, ResourceEvent, ResourceMeta } from '@dot-i/k8s-operator';
import { KubeConfig } from '@kubernetes/client-node';

import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { InformerObserver } from './informer.ts';
import { Informer } from './informer.ts';
import type { PooledKubeConfig } from './kube-config.ts';
import { keyOf } from '../core/object.ts';
import type { KubernetesObject, Resource } from '../core/object.ts';
import type { ObjectClient } from './object-client.ts';
import { describeError, isNotFound } from './errors.ts';

import type { OutageLog } from './outage-log.ts';
import type { WatchAges } from './watch-ages.ts';
import { WorkQueue } from './work-queue.ts';

export interface OperatorAdapterOptions {
  readonly client: ObjectClient;
  readonly kubeConfig: PooledKubeConfig;
  /** Owner of the status fields in managedFields. */
  readonly fieldManager: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
  readonly relistMs?: number;
  readonly observer?: InformerObserver;
  /** See InformerOptions. */
  readonly watchAges?: Pick<WatchAges, 'began'>;
  /** The shortest duration of a watch; see InformerOptions. */
  readonly watchSeconds?: number;
}

// Custom resources are a few kilobytes each: a page is parsed, and what it brings prepared, in some 25 ms.
const PAGE = 100;

interface Watched {
  readonly informer: Informer;
  /** onSynced() has been called and has resolved: handlers may run. */
  isReady: boolean;
  readonly feed: EventFeed;
  readonly queue: WorkQueue;
}

/** The library's type of an object, which has no read-only fields. */
type LibraryObject = ResourceEvent['object'];

type EventHandler = (event: ResourceEvent) => Promise<void>;

/** The library's `Operator` with all of its I/O replaced. */
export abstract class OperatorAdapter extends OperatorModule.default {
  readonly #options: OperatorAdapterOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: OperatorAdapterOptions) {
    // The stock constructor loads the default kubeconfig, which may be broken or for another cluster, and is never the
    // right one.
    const restore = withoutDefaultKubeConfig();
    super(operatorLogger(options.logger));
    restore();
    this.#options = options;
    this.kubeConfig = options.kubeConfig;
    // k8sApi stays unusable: typed clients drop every field that they do not know.
  }

  /** True once everything that is watched has been listed; it stays true. */
  get synced(): boolean {
    return this.#watched.size > 0 && [...this.#watched.values()].every(({ informer }) => informer.synced);
  }

  /** When the API server last confirmed that the oldest copy is fresh, by Clock.elapsed(); undefined: not yet. */
  get lastSeen(): number | undefined {
    let oldest: number | undefined;
    for (const { informer } of this.#watched.values()) {
      const { lastSeen } = informer;
      if (lastSeen === undefined) return undefined;
      oldest = oldest === undefined ? lastSeen : Math.min(oldest, lastSeen);
    }
    return oldest;
  }

  /**
   * Calls `onEvent` for each object: Added the first time, then Modified, finally Deleted with its last known state.
   * Starts when the first list has arrived and onSynced() has returned. Events of one object come one after the other,
   * with the newest state only; a rejection is retried after a growing delay. Resolves at once: `synced` says when
   * everything is known.
   */
  protected override watchResource(
    group: string,
    version: string,
    plural: string,
    onEvent: EventHandler,
    namespace?: string,
  ): Promise<void> {
    const resource: Resource = { group, version, plural, ...(namespace === undefined ? {} : { namespace }) };
    const id = idOf(resource);
    if (this.#watched.has(id)) return Promise.reject(new Error(`${id} is already watched`));
    const watched = this.#watch(resource, onEvent);
    this.#watched.set(id, watched);
    watched.informer.start();
    this.#options.logger.info({ resource: plural, group, namespace }, 'watching');
    return Promise.resolve();
  }

  /** Returns the local copy of a watched resource. Throws if it is not watched. */
  protected informer(group: string, version: string, plural: string, namespace?: string): Informer {
    const id = idOf({ group, version, plural, ...(namespace === undefined ? {} : { namespace }) });
    const watched = this.#watched.get(id);
    if (watched === undefined) throw new Error(`${id} is not watched`);
    return watched.informer;
  }

  /**
   * Calls the handler again for an unchanged object, as Modified: at once, or in `afterMs` milliseconds at the latest.
   * Does nothing if the object does not exist or the resource is not watched. `key` is `namespace/name`.
   */
  protected enqueue(resource: Resource, key: string, afterMs = 0): void {
    const watched = this.#watched.get(idOf(resource));
    if (watched?.isReady !== true) return;
    watched.feed.askAgain(key);
    if (afterMs > 0) watched.queue.addAfter(key, afterMs);
    else watched.queue.add(key);
  }

  /** Called once for each resource, when its first list has arrived; handlers run when it has resolved. */
  protected onSynced(plural: string): void | Promise<void> {
    this.#options.logger.info({ resource: plural }, 'synced');
  }

  /**
   * Called with each change after onSynced() was called, at once and before the handler, which may have to wait for its
   * turn. Must be quick. If it throws, the change is delivered again.
   */
  protected onChanged(plural: string, key: string): void {
    this.#options.logger.debug({ resource: plural, key }, 'changed');
  }

  /** Closes the watches and resolves when running handlers have ended. Never exits the process. */
  // eslint-disable-next-line @typescript-eslint/no-misused-promises -- the stock one returns nothing to wait for
  override async stop(): Promise<void> {
    const watched = [...this.#watched.values()];
    await Promise.all(watched.map(({ informer }) => informer.stop()));
    await Promise.all(watched.map(({ queue }) => queue.stop()));
  }

  /** Server-side apply of the whole status. Null: the object is gone. Rejects with ApiError. */
  protected override async patchResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta | null> {
    const { client, fieldManager } = this.#options;
    const metadata = { name: meta.name, ...(meta.namespace === undefined ? {} : { namespace: meta.namespace }) };
    const object: KubernetesObject = { apiVersion: meta.apiVersion, kind: meta.kind, metadata, status };
    try {
      const applied = await client.apply(resourceOf(meta), object, { fieldManager, subresource: 'status' });
      return ResourceMetaImpl.createWithId(meta.id, applied as unknown as LibraryObject);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  /** The same: an apply sets the fields that it names and removes those that it named before. */
  protected override setResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta | null> {
    return this.patchResourceStatus(meta, status);
  }

  protected override getCustomResourceApiUri(
    group: string,
    version: string,
    plural: string,
    namespace?: string,
  ): string {
    const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const place = namespace === undefined ? '' : `/namespaces/${namespace}`;
    return `${this.#options.kubeConfig.getCurrentCluster()?.server ?? ''}${base}${place}/${plural}`;
  }

  /** Refused: the stock one reports success whatever happens, and a cache needs no finalizer. */
  protected override setResourceFinalizers(): Promise<void> {
    return Promise.reject(new Error('this operator uses no finalizers'));
  }

  /** Refused, for the same reason. */
  protected override handleResourceFinalizer(): Promise<boolean> {
    return Promise.reject(new Error('this operator uses no finalizers'));
  }

  /** Refused: CRDs are installed separately from the operator, which has no permission to write them. */
  protected override registerCustomResourceDefinition(): Promise<never> {
    return Promise.reject(new Error('this operator does not install CRDs'));
  }

  async #becomeReady({ plural }: Resource, watched: Watched): Promise<void> {
    try {
      await this.onSynced(plural);
    } catch (error) {
      this.#options.logger.error({ resource: plural, error: describeError(error) }, 'the first list was not processed');
    }
    watched.isReady = true;
    for (const { metadata } of watched.informer.list()) watched.queue.add(keyOf(metadata));
  }

  #watch(resource: Resource, onEvent: EventHandler): Watched {
    const { client, clock, random, logger, outages, relistMs, observer, watchAges, watchSeconds } = this.#options;
    const feed = new EventFeed({ plural: resource.plural, current: (key) => informer.get(key), onEvent });
    const queue = new WorkQueue({
      process: (key) => feed.tell(key),
      clock,
      random,
      logger,
      outages,
      what: `processing ${resource.plural}`,
    });
    const informer: Informer = new Informer({
      client,
      resource,
      clock,
      random,
      logger,
      outages,
      watchAges,
      pageSize: PAGE,
      ...(relistMs === undefined ? {} : { relistMs }),
      ...(observer === undefined ? {} : { observer }),
      ...(watchSeconds === undefined ? {} : { watchSeconds }),
      onChange: (key, object, previous) => {
        if (object === undefined && previous !== undefined) feed.noteEnd(key, previous);
        if (!informer.synced) return;
        this.onChanged(resource.plural, key);
        if (watched.isReady) queue.add(key);
      },
      onSynced: () => void this.#becomeReady(resource, watched),
    });
    const watched: Watched = { informer, feed, queue, isReady: false };
    return watched;
  }
}

interface EventFeedOptions {
  readonly plural: string;
  /** Returns the current state. */
  readonly current: (key: string) => KubernetesObject | undefined;
  readonly onEvent: EventHandler;
}

/**
 * Turns what has changed since the handler's last call into the library's events. It leaves out states in between, but
 * never a Deleted. A rejected event does not count, so the next tell() repeats it.
 */
class EventFeed {
  readonly #options: EventFeedOptions;
  readonly #told = new Map<string, KubernetesObject>();
  readonly #ended = new Map<string, KubernetesObject>();
  readonly #asked = new Set<string>();

  constructor(options: EventFeedOptions) {
    this.#options = options;
  }

  /** Keeps the last state of an object for its Deleted event. */
  noteEnd(key: string, last: KubernetesObject): void {
    this.#ended.set(key, last);
  }

  /** The next tell() calls the handler even if the object has not changed. */
  askAgain(key: string): void {
    this.#asked.add(key);
  }

  /** Calls the handler until it is up to date. Rejects with what the handler rejects with. */
  async tell(key: string): Promise<void> {
    const now = this.#options.current(key);
    const ended = this.#ended.get(key);
    const told = this.#told.get(key) ?? ended;
    if (told !== undefined && told.metadata.uid !== now?.metadata.uid) {
      const seenToEnd = ended !== undefined && ended.metadata.uid === told.metadata.uid;
      await this.#emit(ResourceEventType.Deleted, seenToEnd ? ended : told);
      this.#told.delete(key);
    }
    if (this.#ended.get(key) === ended) this.#ended.delete(key);
    if (now === undefined) this.#asked.delete(key);
    else await this.#tellOf(key, now);
  }

  async #tellOf(key: string, now: KubernetesObject): Promise<void> {
    const known = this.#told.get(key);
    const asked = this.#asked.delete(key);
    if (!asked && known?.metadata.resourceVersion === now.metadata.resourceVersion) return;
    try {
      await this.#emit(known === undefined ? ResourceEventType.Added : ResourceEventType.Modified, now);
    } catch (error) {
      if (asked) this.#asked.add(key);
      throw error;
    }
    this.#told.set(key, now);
  }

  #emit(type: ResourceEventType, object: KubernetesObject): Promise<void> {
    const theirs = object as unknown as LibraryObject;
    const meta = ResourceMetaImpl.createWithPlural(this.#options.plural, theirs);
    return this.#options.onEvent({ type, meta, object: theirs });
  }
}

function idOf({ group, version, plural, namespace }: Resource): string {
  return [plural, group === '' ? version : `${group}/${version}`, ...(namespace === undefined ? [] : [namespace])].join(
    '.',
  );
}

// The library's id of a resource is `plural.apiVersion`, and a plural has no dot.
function resourceOf(meta: ResourceMeta): Resource {
  const [group = '', version = ''] = meta.apiVersion.includes('/') ? meta.apiVersion.split('/') : ['', meta.apiVersion];
  const plural = meta.id.slice(0, meta.id.indexOf('.'));
  return { group, version, plural, ...(meta.namespace === undefined ? {} : { namespace: meta.namespace }) };
}

function operatorLogger(logger: Logger): OperatorLogger {
  return {
    debug: (message) => logger.debug(message),
    info: (message) => logger.info(message),
    warn: (message) => logger.warn(message),
    error: (message) => logger.error(message),
  };
}

/**
 * Until the returned function is called, `loadFromDefault()` of any KubeConfig reads nothing. For synchronous use only.
 */
function withoutDefaultKubeConfig(): () => void {
  const { prototype } = KubeConfig;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- restored as it was, never called from here
  const stock = prototype.loadFromDefault;
  prototype.loadFromDefault = function (this: KubeConfig) {
    this.loadFromClusterAndUser(
      { name: 'none', server: 'https://none.invalid', skipTLSVerify: false },
      { name: 'none' },
    );
  };
  return () => {
    prototype.loadFromDefault = stock;
  };
}
