import { unlessAborted } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import { OutageLog } from './outage-log.ts';
import { API_SERVER_BACKOFF, Backoff } from './backoff.ts';
import { describeError, isGone, retryAfterOf } from './errors.ts';
import { jittered } from './jitter.ts';
import { keyOf } from '../core/object.ts';
import type { KubernetesObject, Resource } from '../core/object.ts';
import { compareVersions } from '../core/resource-version.ts';
import type { ObjectClient, ObjectList } from './object-client.ts';
import { ApiError } from './object-client.ts';
import type { Change, Store } from './object-store.ts';
import { ObjectStore } from './object-store.ts';
import { isGoing, Restartable } from './restartable.ts';
import { Slice } from './slices.ts';
import type { WatchAges } from './watch-ages.ts';

export interface InformerOptions<T extends KubernetesObject> {
  readonly client: Pick<ObjectClient, 'list' | 'watch'>;
  readonly resource: Resource;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Where failures are logged (default: a log of its own). */
  readonly outages?: OutageLog | undefined;
  /** Approximate milliseconds between two lists: insurance against a watch that silently lost something. */
  readonly relistMs?: number;
  /** Reduces each object to what is kept of it: at least name, namespace, uid and resourceVersion of its metadata. */
  readonly keep?: (object: T) => T;
  /** Where objects are kept; default: all of them in memory. It must not throw. */
  readonly store?: Store<T>;
  /** Objects per page of a list. */
  readonly pageSize?: number;
  /**
   * Returns a promise while what has arrived is still being worked off: the next page is fetched, and the next event is
   * taken, when it has resolved. So no more than a page waits in memory, however long the list is.
   */
  readonly whenReady?: () => Promise<unknown> | undefined;
  /**
   * The shortest duration of a watch; up to double. Longer means fewer requests, but a dead connection goes unnoticed
   * longer.
   */
  readonly watchSeconds?: number;
  /**
   * Called with each change: `object` undefined means deleted, and `previous` is then its last known state. Must only
   * note the change (put the key on a queue). If it throws, it is called again for the change with the next list.
   */
  readonly onChange: (key: string, object: T | undefined, previous: T | undefined) => void;
  /** Called when the first list has arrived and onChange has been called for all of it. */
  readonly onSynced?: () => void;
  /** For metrics. */
  readonly observer?: InformerObserver;
  /** Told of the copy while it runs. */
  readonly watchAges?: Pick<WatchAges, 'began'> | undefined;
}

export interface InformerObserver {
  readonly onRelist?: () => void;
  readonly onRetry?: (error: unknown, delayMs: number) => void;
}

const RELIST_MS = 600_000;
// The page size of kubectl and client-go.
const PAGE = 500;
// A watch lasts one to two minutes. On a quiet cluster API servers send no bookmark meanwhile (108 s observed), but
// always one 2 s before they end it: so this is how old the copy can get before a dead connection is noticed.
const SHORTEST_WATCH_SECONDS = 60;
const HASTE_MS = 1_000;
// A watch that is closed at once without any event is a failure, else it would be reopened endlessly.
const VERY_SHORT_WATCH_MS = 500;
// After this many broken watches in a row the version to resume from is suspect.
const FAILURES_BEFORE_RELIST = 3;

/**
 * A local copy of one resource, kept by a list and a watch that continues from it, for as long as the process lives: it
 * retries after any error. What was deleted during an outage is found by the next list and reported as deleted.
 */
export class Informer<T extends KubernetesObject = KubernetesObject> {
  readonly #options: InformerOptions<T>;
  readonly #store: Store<T>;
  readonly #backoff: Backoff;
  readonly #outages: OutageLog;
  /** For the log: what is done, and of which objects. */
  readonly #what: string;
  readonly #subject: string;
  readonly #untold = new Set<string>();
  #resourceVersion: string | undefined;
  /** The last one that the copy had, while the next list is due. */
  #lastVersion: string | undefined;
  #newest: string | undefined;
  #relistAt = 0;
  #hastened = new AbortController();
  #hastenedAt = -Infinity;
  #step: 'list' | 'watch' = 'list';
  #failedStep: 'list' | 'watch' = 'list';
  #synced = false;
  #lastSeen: number | undefined;
  #startedAt = 0;
  #ended: (() => void) | undefined;
  readonly #work = new Restartable((signal) => this.#run(signal));

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#store = options.store ?? new ObjectStore<T>();
    this.#backoff = new Backoff(API_SERVER_BACKOFF, options.random);
    const { resource, fieldSelector = '', labelSelector = '', outages } = options;
    this.#outages = outages ?? new OutageLog(options);
    this.#what = `watching ${resource.plural}`;
    this.#subject = [resource.namespace ?? '', fieldSelector, labelSelector].filter((part) => part !== '').join(' ');
  }

  /** True from the first successful list on, even if the API server is unavailable later. */
  get synced(): boolean {
    return this.#synced;
  }

  /**
   * When the API server last confirmed that the copy is fresh (a list, an event, a bookmark, or the end of a watch, which
   * sends everything before), by Clock.elapsed(); undefined if never.
   */
  get lastSeen(): number | undefined {
    return this.#lastSeen;
  }

  /** The resourceVersion up to which the copy is complete, and onChange has been called; undefined before the first list. */
  get version(): string | undefined {
    return this.#resourceVersion ?? this.#lastVersion;
  }

  /** The resourceVersion of the newest change that it has seen; undefined before the first. A bookmark is no change. */
  get newest(): string | undefined {
    return this.#newest;
  }

  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  list(): readonly T[] {
    return this.#store.list();
  }

  /** Starts, or does nothing if it has started. After stop() it resumes where it was. */
  start(): void {
    if (!this.#work.isStarted) {
      this.#startedAt = this.#options.clock.elapsed();
      this.#ended = this.#options.watchAges?.began(this.#options.resource.plural, () => this.#ageMs);
    }
    this.#work.start();
  }

  /**
   * Ends a pause after an error: something else shows that the API server answers again. At most once a second; does
   * nothing while the watch is open.
   */
  hasten(): void {
    const now = this.#options.clock.elapsed();
    if (now - this.#hastenedAt < HASTE_MS) return;
    this.#hastenedAt = now;
    this.#hastened.abort();
  }

  /** Resolves when the watch is closed and onChange will not be called any more. */
  stop(): Promise<void> {
    this.#ended?.();
    this.#ended = undefined;
    return this.#work.stop();
  }

  /** Since the API server last confirmed the copy, or since start() if it has not done so since then. */
  get #ageMs(): number {
    return this.#options.clock.elapsed() - Math.max(this.#startedAt, this.#lastSeen ?? -Infinity);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (isGoing(signal)) {
      try {
        if (this.#resourceVersion === undefined || this.#options.clock.elapsed() >= this.#relistAt)
          await this.#relist(signal);
        else await this.#watch(signal, this.#resourceVersion);
      } catch (error) {
        if (isGoing(signal)) await this.#waitOut(error, signal);
      }
    }
  }

  async #relist(signal: AbortSignal): Promise<void> {
    this.#options.observer?.onRelist?.();
    const untold = [...this.#untold];
    const told = new Set<string>();
    const begunAt = this.#options.clock.elapsed();
    this.#resourceVersion = await this.#listAll(signal, (changes) => {
      for (const change of changes) {
        told.add(change.key);
        this.#tell(change);
      }
    });
    this.#relistAt =
      this.#options.clock.elapsed() + jittered(this.#options.relistMs ?? RELIST_MS, this.#options.random);
    // all pages show what was there when the first one was asked for
    this.#seen(begunAt);
    // A successful list says nothing about the watch that broke before it.
    if (this.#failedStep === 'list') this.#recovered();
    for (const key of untold) {
      if (!told.has(key)) this.#tell({ key, object: this.#store.get(key), previous: undefined });
    }
    if (!this.#synced) this.#tellSynced();
  }

  /** Takes the objects page by page, so that none of the pages need be kept. Resolves with the version of the list. */
  async #listAll(signal: AbortSignal, tell: (changes: readonly Change<T>[]) => void): Promise<string> {
    const { pageSize: limit = PAGE, whenReady } = this.#options;
    const listed = new Set<string>();
    let newest: string | undefined;
    const take = ({ items }: ObjectList<T>): void => {
      for (const item of items) {
        listed.add(keyOf(item.metadata));
        newest = newerOf(newest, item.metadata.resourceVersion);
        this.#noteChange(item.metadata.resourceVersion);
        tell(this.#store.put(this.#kept(item)));
      }
    };
    let page = await this.#page(signal, { limit });
    take(page);
    while (page.metadata.continue) {
      await whenReady?.();
      try {
        page = await this.#page(signal, { limit, continue: page.metadata.continue });
      } catch (error) {
        // The pages took longer than etcd keeps their version: list again, in one piece if there is room for it.
        if (!isGone(error) || whenReady !== undefined) throw error;
        listed.clear();
        page = await this.#page(signal, {});
      }
      take(page);
    }
    const slice = new Slice(this.#options.clock);
    for (const changes of this.#store.retain(listed, page.metadata.resourceVersion)) {
      tell(changes);
      if (slice.isOver) await slice.next();
    }
    // the API server was restored from a backup: what came after that never happened
    if ((compareVersions(page.metadata.resourceVersion, this.#newest) ?? 0) < 0) this.#newest = newest;
    return page.metadata.resourceVersion;
  }

  async #page(signal: AbortSignal, paging: { limit?: number; continue?: string }): Promise<ObjectList<T>> {
    this.#step = 'list';
    const page = this.#options.client.list<T>(this.#options.resource, { ...this.#selectors(), ...paging });
    return unlessAborted(page, signal, () => new ApiError(0, 'Aborted', 'stopped'));
  }

  async #watch(signal: AbortSignal, resourceVersion: string): Promise<void> {
    const { client, resource, clock, random, watchSeconds = SHORTEST_WATCH_SECONDS, whenReady } = this.#options;
    this.#step = 'watch';
    const openedAt = clock.elapsed();
    const untilRelist = Math.max(1, Math.ceil((this.#relistAt - openedAt) / 1000));
    const timeoutSeconds = Math.min(untilRelist, Math.round(watchSeconds * (1 + random())));
    let silent = true;
    for await (const event of client.watch<T>(resource, {
      ...this.#selectors(),
      resourceVersion,
      timeoutSeconds,
      signal,
    })) {
      if (signal.aborted) return;
      if (event.type === 'ERROR') throw new ApiError(event.status.code, event.status.reason, errorEvent(event.status));
      silent = false;
      this.#seen();
      this.#recovered();
      this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
      if (event.type === 'BOOKMARK') continue;
      this.#noteChange(event.object.metadata.resourceVersion);
      const object = this.#kept(event.object);
      const changes = event.type === 'DELETED' ? this.#store.remove(object) : this.#store.put(object);
      for (const change of changes) this.#tell(change);
      await whenReady?.();
    }
    if (signal.aborted) return;
    if (silent && clock.elapsed() - openedAt < VERY_SHORT_WATCH_MS) {
      throw new ApiError(0, 'VeryShortWatch', 'the watch was closed immediately');
    }
    this.#seen();
    this.#recovered();
  }

  #recovered(): void {
    this.#backoff.reset();
    this.#outages.worked(this.#what, this.#subject);
  }

  async #waitOut(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, logger, observer, resource } = this.#options;
    this.#failedStep = this.#step;
    // An expired version is normal (a quiet resource, a compaction): the first time, list at once.
    const everyday = isGone(error) && this.#backoff.failures === 0;
    const wait = this.#backoff.next();
    const delayMs = everyday ? 0 : Math.max(wait, retryAfterOf(error));
    const doubted = error instanceof ApiError && error.reason === 'MalformedEvent';
    if (isGone(error) || doubted || this.#backoff.failures >= FAILURES_BEFORE_RELIST) {
      this.#lastVersion = this.version;
      this.#resourceVersion = undefined;
    }
    const line = { resource: resource.plural, failures: this.#backoff.failures, delayMs, error: describeError(error) };
    if (everyday) logger.debug(line, 'the watch has expired, listing again');
    else this.#outages.failed(this.#what, this.#subject, error, { delayMs });
    observer?.onRetry?.(error, delayMs);
    this.#hastened = new AbortController();
    await clock.sleep(delayMs, AbortSignal.any([signal, this.#hastened.signal]));
  }

  #tell({ key, object, previous }: Change<T>): void {
    try {
      this.#untold.delete(key);
      this.#options.onChange(key, object, previous);
    } catch (error) {
      this.#untold.add(key);
      this.#options.logger.error(
        { key, error: describeError(error) },
        'a change could not be processed, will be delivered again',
      );
    }
  }

  #tellSynced(): void {
    this.#synced = true;
    try {
      this.#options.onSynced?.();
    } catch (error) {
      this.#options.logger.error({ error: describeError(error) }, 'the handler of the first list failed');
    }
  }

  #noteChange(version: string | undefined): void {
    this.#newest = newerOf(this.#newest, version);
  }

  #kept(object: T): T {
    return this.#options.keep?.(object) ?? object;
  }

  #seen(at = this.#options.clock.elapsed()): void {
    this.#lastSeen = at;
  }

  #selectors(): { fieldSelector?: string; labelSelector?: string } {
    const { fieldSelector, labelSelector } = this.#options;
    return {
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    };
  }
}

function newerOf(known: string | undefined, version: string | undefined): string | undefined {
  return known === undefined || (compareVersions(version, known) ?? 0) > 0 ? version : known;
}

function errorEvent({ code, reason }: { code: number; reason: string }): string {
  return `the watch ended with an error: ${code} ${reason}`;
}
