import { jittered } from '../../kube/jitter.ts';
import { Listeners } from '../../kube/listeners.ts';
import { isGoing, Restartable } from '../../kube/restartable.ts';
import type { KnownSources, SourceNeeds, SourceRef } from '../../core/injection/sources.ts';
import { sourceName } from '../../core/injection/sources.ts';
import { ConfigMapWatch } from './config-map-watch.ts';
import type { WatchOptions } from './config-map-watch.ts';
import { SourceMemory } from './source-memory.ts';
import type { IsGood, SourceMemoryOptions } from './source-memory.ts';

export interface SourcesOptions extends SourceMemoryOptions, WatchOptions {
  /** Approximate milliseconds between two reads of objects in use that cannot be watched. */
  readonly rereadMs: number;
}

// Reviews in a burst share one read; changing an object and then its workload usually takes longer than this.
const FRESH_MS = 1_000;
// At most five reads a second, however many objects are in use.
const PAUSE_MS = 200;
// A shorter interval in the settings would only keep the processor busy.
const SHORTEST_REREAD_MS = 1_000;

/**
 * Whether ConfigMaps and Secrets contain references, for admission and the inventory. For admission they are read
 * afresh; the inventory is notified when an object in use changes: ConfigMaps are watched, Secrets (and what could not
 * be read) are reread periodically.
 */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #memory: SourceMemory;
  readonly #used = new Map<string, ReadonlyMap<string, SourceRef>>();
  #watch: ConfigMapWatch | undefined;
  readonly #listeners = new Listeners<[namespace: string, ref: SourceRef]>();
  readonly #rereading = new Restartable((signal) => this.#reread(signal));

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#memory = new SourceMemory(options);
    this.#memory.onAnswer((namespace, ref) => {
      if (this.#isUsed(namespace, ref)) this.#listeners.notify(namespace, ref);
    });
  }

  /** Calls `listener` when the answer for an object in use has changed, so that its users are judged again. */
  onChange(listener: (namespace: string, ref: SourceRef) => void): void {
    this.#listeners.add(listener);
  }

  /** Returns what is known without a request; for objects in use, as far as their changes have been noticed. */
  known(namespace: string, needs: SourceNeeds): KnownSources | undefined {
    return this.#memory.known(namespace, needs, this.#isCurrent);
  }

  /**
   * Returns what was read within the last second: for admission, which must not miss what an author has just applied.
   */
  fresh(namespace: string, needs: SourceNeeds): KnownSources | undefined {
    return this.#memory.known(namespace, needs, this.#isFresh);
  }

  /**
   * Reads what is not fresh, and resolves within `waitMs` milliseconds: if the API server takes longer, with what was
   * known before, or with why nothing is. Never rejects.
   */
  find(namespace: string, needs: SourceNeeds, waitMs: number): Promise<KnownSources> {
    return this.#memory.find(namespace, needs, waitMs, this.#isFresh);
  }

  /** Sets all objects in use in the namespace, whose changes are noticed from now on. */
  watch(namespace: string, refs: readonly SourceRef[]): void {
    const before = this.#used.get(namespace);
    const used = new Map(refs.map((ref) => [sourceName(ref), ref]));
    if (used.size === 0) this.#used.delete(namespace);
    else this.#used.set(namespace, used);
    for (const [name, ref] of before ?? []) if (!used.has(name)) this.#end(namespace, ref);
    for (const [name, ref] of used) if (before?.has(name) !== true) this.#begin(namespace, ref);
  }

  /** Starts to reread what is in use. */
  start(): void {
    this.#watch?.start();
    this.#rereading.start();
  }

  /** Resolves when nothing is read any more, except for reads in progress. */
  async stop(): Promise<void> {
    await Promise.all([this.#rereading.stop(), this.#watch?.stop()]);
  }

  readonly #isFresh: IsGood = (_namespace, _ref, { readAt }) => this.#options.clock.elapsed() - readAt < FRESH_MS;

  readonly #isCurrent: IsGood = (namespace, ref, remembered) =>
    this.#isUsed(namespace, ref) || this.#isFresh(namespace, ref, remembered);

  #isUsed(namespace: string, ref: SourceRef): boolean {
    return this.#used.get(namespace)?.has(sourceName(ref)) === true;
  }

  /** What was read before it came into use may be outdated, and so may what is being read. */
  #begin(namespace: string, ref: SourceRef): void {
    const remembered = this.#memory.get(namespace, ref);
    if (isConfigMap(ref)) this.#watching().use(namespace, ref.name);
    const isCertain = !isConfigMap(ref) && remembered !== undefined && this.#isFresh(namespace, ref, remembered);
    const isKnown = remembered !== undefined || (isConfigMap(ref) && this.#memory.isReading(namespace, ref));
    if (isKnown && !isCertain) void this.#memory.refresh(namespace, ref);
  }

  #end(namespace: string, ref: SourceRef): void {
    if (isConfigMap(ref)) this.#watch?.forget(namespace, ref.name);
  }

  /** Not at once: often the last ConfigMap is replaced by another, and a new watch begins with a list of the cluster. */
  async #endWatch(): Promise<void> {
    if (this.#watch?.isUsed !== false) return;
    const watch = this.#watch;
    this.#watch = undefined;
    await watch.stop();
  }

  /** There is a watch only while a ConfigMap is in use. */
  #watching(): ConfigMapWatch {
    if (this.#watch !== undefined) return this.#watch;
    this.#watch = new ConfigMapWatch(this.#options, (namespace, name) => this.#compare(namespace, name));
    if (this.#rereading.isStarted) this.#watch.start();
    return this.#watch;
  }

  /** Rereads a ConfigMap in use if it is not the version that was read, or if a read in progress may be too old. */
  #compare(namespace: string, name: string): void {
    const ref: SourceRef = { kind: 'ConfigMap', name };
    const remembered = this.#memory.get(namespace, ref);
    const isOther = remembered !== undefined && this.#watch?.known(namespace, name)?.version !== remembered.version;
    if (isOther || this.#memory.isReading(namespace, ref)) void this.#memory.refresh(namespace, ref);
  }

  async #reread(signal: AbortSignal): Promise<void> {
    const { clock, random, rereadMs } = this.#options;
    while (isGoing(signal)) {
      await clock.sleep(Math.max(SHORTEST_REREAD_MS, jittered(rereadMs, random)), signal);
      await this.#endWatch();
      for (const [namespace, ref] of this.#unwatched()) {
        if (!isGoing(signal)) return;
        await this.#memory.refresh(namespace, ref);
        await clock.sleep(PAUSE_MS, signal);
      }
    }
  }

  /** Returns the objects in use that would change unnoticed. */
  #unwatched(): [namespace: string, ref: SourceRef][] {
    return [...this.#used].flatMap(([namespace, used]) =>
      [...used.values()]
        .filter((ref) => !isConfigMap(ref) || this.#isUncertain(namespace, ref))
        .map((ref): [string, SourceRef] => [namespace, ref]),
    );
  }

  #isUncertain(namespace: string, ref: SourceRef): boolean {
    const remembered = this.#memory.get(namespace, ref);
    const isWatched = this.#watch?.synced === true;
    return !isWatched || remembered === undefined || remembered.isDoubtful || 'unreadable' in remembered.answer;
  }
}

function isConfigMap({ kind }: SourceRef): boolean {
  return kind === 'ConfigMap';
}
