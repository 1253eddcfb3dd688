import { atMost } from './clock.ts';
import type { Clock } from './clock.ts';
import { API_SERVER_BACKOFF, Backoff } from './backoff.ts';
import { describeError, isConflict, isNotFound, retryAfterOf } from './errors.ts';
import { Informer } from './informer.ts';
import { LEASE_HEAD, leasesIn } from './lease.ts';
import type { Lease } from './lease.ts';
import { Listeners } from './listeners.ts';
import type { Logger } from './log.ts';
import { OutageLog } from './outage-log.ts';
import type { ObjectClient } from './object-client.ts';
import { isGoing, Restartable } from './restartable.ts';
import { Sightings } from './sightings.ts';
import type { WatchAges } from './watch-ages.ts';
import { shortHash } from '../core/hash.ts';
import { keyOf } from '../core/object.ts';
import type { Resource } from '../core/object.ts';
import { toKubernetesMicroTime } from '../core/time.ts';

export interface IdentityLeasesOptions {
  readonly client: Pick<ObjectClient, 'list' | 'watch' | 'create' | 'patch' | 'delete'>;
  /** Namespace of the Leases. */
  readonly namespace: string;
  /** Unique to each process, even on one host. */
  readonly identity: string;
  /** The names of the Leases begin with it; a hash of the identity follows. */
  readonly namePrefix: string;
  /** Key of the label by which the Leases are found. */
  readonly label: string;
  /** Key of the annotation that holds what a process publishes. */
  readonly annotation: string;
  /** More labels. */
  readonly labels: Readonly<Record<string, string>>;
  readonly fieldManager: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog | undefined;
  readonly watchAges?: Pick<WatchAges, 'began'> | undefined;
}

/** Another process, by its Lease. */
export interface Peer {
  readonly identity: string;
  /** What it publishes; undefined if its Lease holds none. */
  readonly document: string | undefined;
}

const WRITING = 'writing the Lease of this replica';
const LEASE_MS = 30_000;
// Two renewals may fail before others take a process for gone.
const RENEW_MS = 10_000;
// A burst of changes becomes one write.
const GAP_MS = 1_000;
/** After a process has been gone for so long, its Lease is deleted: until then it tells people what was there. */
export const FORGOTTEN_MS = 300_000;
const STOP_MS = 2_000;

/**
 * A Lease for each process, as API servers have (KEP-1965, API server identity): it says that the process is alive, and
 * an annotation holds a small document that the process publishes. Each process sees the documents of all.
 */
export class IdentityLeases {
  readonly #options: IdentityLeasesOptions;
  readonly #resource: Resource;
  readonly #name: string;
  readonly #informer: Informer<Lease>;
  readonly #sightings = new Sightings();
  readonly #backoff: Backoff;
  readonly #outages: OutageLog;
  readonly #listeners = new Listeners();
  readonly #work = new Restartable((signal) => this.#run(signal));
  readonly #synced = Promise.withResolvers<undefined>();
  #document = '';
  #isDirty = true;
  #isCreated = false;
  #wake = new AbortController();
  #told = '[]';

  constructor(options: IdentityLeasesOptions) {
    const { client, clock, random, logger, namespace, label, namePrefix, identity } = options;
    this.#options = options;
    this.#outages = options.outages ?? new OutageLog(options);
    this.#name = `${namePrefix}${shortHash(identity)}`;
    this.#resource = leasesIn(namespace);
    this.#backoff = new Backoff(API_SERVER_BACKOFF, random);
    this.#informer = new Informer<Lease>({
      client,
      resource: this.#resource,
      labelSelector: label,
      clock,
      random,
      logger,
      outages: options.outages,
      watchAges: options.watchAges,
      onChange: (key, lease) => this.#noticed(key, lease),
      onSynced: () => {
        this.#synced.resolve(undefined);
        this.#listeners.notify();
      },
    });
  }

  /** Whether the Leases of all others have been seen once. */
  get synced(): boolean {
    return this.#informer.synced;
  }

  /** Starts; resolves when the others are known, or after `withinMs` milliseconds: they may not be readable. */
  async start(withinMs: number): Promise<void> {
    this.#informer.start();
    this.#work.start();
    await atMost(this.#options.clock, withinMs, this.#synced.promise);
  }

  /** Deletes this process's Lease, so that nobody waits for it. Never rejects. */
  async stop(): Promise<void> {
    const { clock, client, logger } = this.#options;
    const stopped = Promise.all([this.#work.stop(), this.#informer.stop()]);
    this.#wake.abort();
    // a request that hangs is not waited for: the Lease ends by itself
    await atMost(clock, STOP_MS, stopped);
    try {
      await atMost(clock, STOP_MS, client.delete(this.#resource, this.#name));
    } catch (error) {
      if (isNotFound(error)) return;
      logger.warn({ lease: this.#name, error: describeError(error) }, 'the Lease of this replica was not deleted');
    }
  }

  /** Publishes a document: at once, but at most once per second. */
  publish(document: string): void {
    if (document === this.#document) return;
    this.#document = document;
    this.#isDirty = true;
    this.#wake.abort();
  }

  /** Returns the other processes that are alive. Those whose Leases were not seen to change for 30 s are not. */
  others(): readonly Peer[] {
    return this.#informer
      .list()
      .filter((lease) => lease.metadata.name !== this.#name && this.#isAlive(lease))
      .map((lease) => ({
        identity: lease.spec?.holderIdentity ?? lease.metadata.name,
        document: lease.metadata.annotations?.[this.#options.annotation],
      }));
  }

  /** Calls `listener` after each change of what others() and `synced` return; returns a function that removes it. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Deletes the Leases of processes that have been gone for five minutes. Rejects with ApiError. */
  async sweep(): Promise<void> {
    for (const { metadata } of this.#informer.list()) {
      const silentMs = this.#sightings.silentMs(keyOf(metadata)) ?? 0;
      if (metadata.name === this.#name || silentMs < LEASE_MS + FORGOTTEN_MS) continue;
      try {
        await this.#options.client.delete(this.#resource, metadata.name);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (isGoing(signal)) {
      this.#wake = new AbortController();
      const restMs = await this.#attempt();
      this.#tell();
      await clock.sleep(restMs, signal);
      const changed = AbortSignal.any([signal, this.#wake.signal]);
      if (isGoing(signal) && !this.#isDirty) await clock.sleep(RENEW_MS - restMs, changed);
    }
  }

  /** Writes the Lease; resolves with the milliseconds in which it may not be written again. Never rejects. */
  async #attempt(): Promise<number> {
    this.#isDirty = false;
    try {
      await this.#write();
      this.#outages.worked(WRITING, '');
      this.#backoff.reset();
      return GAP_MS;
    } catch (error) {
      this.#isDirty = true;
      const delayMs = Math.min(Math.max(this.#backoff.next(), retryAfterOf(error), GAP_MS), RENEW_MS);
      this.#outages.failed(WRITING, '', error, { lease: this.#name, delayMs });
      return delayMs;
    }
  }

  async #write(): Promise<void> {
    const { client, namespace, fieldManager } = this.#options;
    const { metadata, spec } = this.#lease();
    if (this.#isCreated) {
      try {
        const { labels, annotations } = metadata;
        const changes = { metadata: { labels, annotations }, spec };
        await client.patch(this.#resource, this.#name, changes, { fieldManager });
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // somebody has deleted it: this process itself, if it is stopping and this attempt took long
        if (!this.#work.isStarted) return;
      }
    }
    try {
      await client.create(this.#resource, { ...LEASE_HEAD, metadata: { ...metadata, namespace }, spec });
    } catch (error) {
      // the response to an earlier attempt was lost: the next one updates it
      if (!isConflict(error)) throw error;
      this.#isDirty = true;
    }
    this.#isCreated = true;
  }

  #lease(): Pick<Lease, 'metadata' | 'spec'> {
    const { identity, label, labels, annotation, clock } = this.#options;
    return {
      metadata: {
        name: this.#name,
        labels: { ...labels, [label]: 'true' },
        annotations: { [annotation]: this.#document },
      },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: LEASE_MS / 1000,
        renewTime: toKubernetesMicroTime(clock.now()),
      },
    };
  }

  #noticed(key: string, lease: Lease | undefined): void {
    const now = this.#options.clock.elapsed();
    if (lease === undefined) this.#sightings.lost(key, now);
    else this.#sightings.saw(key, lease.metadata.resourceVersion, now);
    this.#tell();
  }

  #isAlive({ metadata, spec }: Lease): boolean {
    const { leaseDurationSeconds } = spec ?? {};
    const validMs = leaseDurationSeconds === undefined ? LEASE_MS : leaseDurationSeconds * 1000;
    return (this.#sightings.silentMs(keyOf(metadata)) ?? 0) <= validMs;
  }

  #tell(): void {
    const says = JSON.stringify(this.others());
    if (says === this.#told) return;
    this.#told = says;
    this.#listeners.notify();
  }
}
