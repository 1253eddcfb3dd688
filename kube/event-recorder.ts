import { createHash } from 'node:crypto';

import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { ReasonCode } from '../core/reasons.ts';
import { isNotFound } from './errors.ts';
import { keyOf } from '../core/object.ts';
import type { KubernetesObject, Resource } from '../core/object.ts';
import type { ObjectClient } from './object-client.ts';
import { OutageLog } from './outage-log.ts';
import { ApiError } from './object-client.ts';
import { coreResource } from '../core/resources.ts';
import { shownBytes } from '../core/shown.ts';
import { toKubernetesTime } from '../core/time.ts';
import { FairQueue } from './fair-queue.ts';
import { TokenBucket } from './token-bucket.ts';

export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface Occurrence {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  readonly reason: ReasonCode;
  /** For users, who may read the namespace's Events but no Secret or ConfigMap. The recorder shows it as shownBytes(). */
  readonly message: string;
}

export interface EventRecorderOptions {
  readonly client: Pick<ObjectClient, 'create' | 'patch'>;
  /** Who reports, such as vault-injection-operator. */
  readonly component: string;
  /** Which process of that component: the pod's name. */
  readonly instance: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where events that could not be written are logged; default: a log of its own. */
  readonly outages?: OutageLog | undefined;
  /** Called with the outcome of each event; dropped ones exceeded the rate limit. */
  readonly onOutcome?: (outcome: 'Written' | 'Failed' | 'Dropped') => void;
}

/** One event: all occurrences of the same message about the same object. */
interface Series {
  readonly occurrence: Occurrence;
  /** Occurrences that have not been written yet. */
  unwritten: number;
  /** The count in the API server; 0 if the event is not known to exist there. */
  count: number;
  /** Milliseconds since the epoch, from Clock.now(), as is lastTime: they are written down. */
  firstTime: number;
  lastTime: number;
  /** When it was last written, by Clock.elapsed(); undefined if never, or if the last write failed. */
  writtenAt: number | undefined;
  queued: boolean;
}

interface Event extends KubernetesObject {
  readonly count?: number;
}

// The same message every five minutes says as much as ten times a second; events live for an hour.
const REPEAT_MS = 300_000;
// For the whole process: a namespace with a thousand broken workloads must not overload the API server.
const BURST = 25;
const REFILL_MS = 200;
const LONGEST_QUEUE = 500;
// A few hundred bytes each.
const MOST_SERIES = 2_000;
// Bytes: the limit of `note` in events.k8s.io/v1, which is the same object.
const LONGEST_MESSAGE = 1_024;
const LONGEST_NAME = 253;
const HASH_DIGITS = 16;
const WHAT = 'writing events';

/**
 * Writes core/v1 Events. The name of an event is derived from its object and message, so that repeats, including those
 * of other processes, increase the count of one event. Never throws and never waits: what cannot be written is logged
 * and counted.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #stopped = new AbortController();
  /** By event name, the least recently used first. */
  readonly #series = new Map<string, Series>();
  /** Names of events, by namespace: a thousand of one do not keep back those of another. */
  readonly #queue = new FairQueue<string>(LONGEST_QUEUE);
  readonly #bucket: TokenBucket;
  readonly #outages: OutageLog;
  #working: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket({ clock: options.clock, burst: BURST, everyMs: REFILL_MS });
    this.#outages = options.outages ?? new OutageLog(options);
  }

  record(told: Occurrence): void {
    if (this.#stopped.signal.aborted) return;
    // before it is named and remembered, so that neither takes more than is written
    const occurrence = { ...told, message: shownBytes(told.message, LONGEST_MESSAGE) };
    const { clock } = this.#options;
    const now = clock.now();
    const name = nameOf(occurrence);
    const series = this.#series.get(name) ?? newSeries(occurrence, now);
    this.#series.delete(name);
    this.#series.set(name, series);
    series.unwritten += 1;
    series.lastTime = now;
    if (series.queued || (series.writtenAt !== undefined && clock.elapsed() - series.writtenAt < REPEAT_MS)) return;
    series.queued = true;
    const dropped = this.#queue.add(occurrence.regarding.namespace, name);
    if (dropped !== undefined) {
      this.#series.delete(dropped);
      this.#options.onOutcome?.('Dropped');
    }
    this.#forgetOldest();
    this.#working ??= this.#work();
  }

  /** Drops what is waiting; resolves when no write is in progress. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#queue.clear();
    await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#queue.size > 0) {
      await this.#token();
      const name = this.#queue.take()?.item ?? '';
      const series = this.#series.get(name);
      if (series === undefined || this.#stopped.signal.aborted) continue;
      series.queued = false;
      await this.#write(name, series);
    }
    this.#working = undefined;
  }

  async #token(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted && !this.#bucket.take()) await this.#options.clock.sleep(this.#bucket.waitMs, signal);
  }

  async #write(name: string, series: Series): Promise<void> {
    const { clock, onOutcome } = this.#options;
    const { occurrence, unwritten } = series;
    const { regarding, reason } = occurrence;
    series.writtenAt = clock.elapsed();
    series.unwritten = 0;
    try {
      series.count = await (series.count === 0
        ? this.#create(name, series, unwritten)
        : this.#count(name, series, unwritten));
      this.#outages.worked(WHAT, regarding.namespace);
      onOutcome?.('Written');
    } catch (error) {
      // the next occurrence tries again
      series.writtenAt = undefined;
      series.unwritten += unwritten;
      const line = { kind: regarding.kind, object: keyOf(regarding), reason };
      this.#outages.failed(WHAT, regarding.namespace, error, line);
      onOutcome?.('Failed');
    }
  }

  /** Resolves with the event's current count. Rejects with ApiError, as #count does. */
  async #create(name: string, series: Series, count: number): Promise<number> {
    const { client } = this.#options;
    try {
      await client.create(resourceOf(series), this.#eventOf(name, series, count));
      return count;
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error;
    }
    // Written by another process, or by this one before a restart: the response has its count, for the next time.
    const event = await client.patch<Event>(resourceOf(series), name, this.#latest(series), this.#manager());
    return event.count ?? count;
  }

  async #count(name: string, series: Series, unwritten: number): Promise<number> {
    const count = series.count + unwritten;
    try {
      const changes = { ...this.#latest(series), count };
      await this.#options.client.patch(resourceOf(series), name, changes, this.#manager());
      return count;
    } catch (error) {
      // Events expire after an hour or so: start over.
      if (!isNotFound(error)) throw error;
    }
    series.firstTime = series.lastTime;
    return await this.#create(name, series, unwritten);
  }

  #eventOf(name: string, { occurrence, firstTime, lastTime }: Series, count: number): KubernetesObject {
    const { component, instance } = this.#options;
    const { regarding, type, reason, message } = occurrence;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: regarding.namespace },
      involvedObject: { ...regarding },
      type,
      reason,
      message,
      count,
      firstTimestamp: toKubernetesTime(firstTime),
      lastTimestamp: toKubernetesTime(lastTime),
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
    };
  }

  #latest({ lastTime }: Series): Readonly<Record<string, unknown>> {
    return { lastTimestamp: toKubernetesTime(lastTime) };
  }

  #manager(): { readonly fieldManager: string } {
    return { fieldManager: this.#options.component };
  }

  #forgetOldest(): void {
    for (const [name, { queued }] of this.#series) {
      if (this.#series.size <= MOST_SERIES) return;
      if (!queued) this.#series.delete(name);
    }
  }
}

function newSeries(occurrence: Occurrence, now: number): Series {
  return { occurrence, unwritten: 0, count: 0, firstTime: now, lastTime: now, writtenAt: undefined, queued: false };
}

function nameOf({ regarding: { uid, name }, reason, message }: Occurrence): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([uid, reason, message]))
    .digest('hex');
  const suffix = `.${digest.slice(0, HASH_DIGITS)}`;
  // cutting must not leave a dot or dash at the end
  return name.slice(0, LONGEST_NAME - suffix.length).replace(/[.-]+$/, '') + suffix;
}

function resourceOf({ occurrence }: Series): Resource {
  return coreResource('Event', occurrence.regarding.namespace);
}
