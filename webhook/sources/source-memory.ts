/** What is known about objects that environment comes from, since when, and which callers wait for which read. */
import type { Clock } from '../../kube/clock.ts';
import { ApiError } from '../../kube/object-client.ts';
import { MOST_OBJECTS } from '../../core/injection/budget.ts';
import { equal } from '../../core/json.ts';
import type { KnownSources, SourceAnswer, SourceNeeds, SourceRef } from '../../core/injection/sources.ts';
import { sourceName } from '../../core/injection/sources.ts';
import { Lru } from '../lru.ts';
import { slots } from '../../kube/slots.ts';
import type { ReadResult, SourceMetrics } from './metrics.ts';
import type { ReadSource, SourceReading } from './source-reader.ts';

export interface SourceMemoryOptions {
  readonly read: ReadSource;
  readonly metrics: SourceMetrics;
  readonly clock: Clock;
}

export interface Remembered {
  readonly answer: SourceAnswer;
  readonly version: string | undefined;
  /** By Clock.elapsed(). */
  readonly readAt: number;
  /** The last attempt to read it failed. */
  readonly isDoubtful: boolean;
}

/** Returns whether what is remembered about an object is as good as reading it. */
export type IsGood = (namespace: string, ref: SourceRef, remembered: Remembered) => boolean;

// Keys and references, about 10 to 1000 bytes per object: many thousands of usual ones.
const MEMORY_BYTES = 8 * 2 ** 20;
const BYTES_PER_ENTRY = 300;
const BYTES_PER_KEY = 100;
const SLOTS = { active: 16, activeOfGroup: 4, waiting: 1024 };
const BUSY = 'Busy';
const TOO_MANY: SourceAnswer = {
  unreadable: `only the first ${MOST_OBJECTS} ConfigMaps and Secrets of a workload are read`,
};

export class SourceMemory {
  readonly #options: SourceMemoryOptions;
  readonly #remembered = new Lru<Remembered>(MEMORY_BYTES, weigh);
  readonly #flights = new Map<string, Promise<SourceAnswer>>();
  /** Objects that a caller gave up waiting for before the answer arrived. */
  readonly #overdue = new Set<string>();
  readonly #slots = slots(SLOTS, () => new ApiError(0, BUSY, 'too many objects are being read; try again'));
  #onAnswer: (namespace: string, ref: SourceRef) => void = () => undefined;

  constructor(options: SourceMemoryOptions) {
    this.#options = options;
    options.metrics.watchSize(() => this.#remembered.size);
  }

  /** Calls `listener` when the answer for an object has changed. */
  onAnswer(listener: (namespace: string, ref: SourceRef) => void): void {
    this.#onAnswer = listener;
  }

  get(namespace: string, ref: SourceRef): Remembered | undefined {
    return this.#remembered.get(keyOf(namespace, ref));
  }

  /** Whether it is being read now. */
  isReading(namespace: string, ref: SourceRef): boolean {
    return this.#flights.has(keyOf(namespace, ref));
  }

  /** Returns what is known without a request; undefined if one of the objects has to be read. */
  known(namespace: string, { objects }: SourceNeeds, isGood: IsGood): KnownSources | undefined {
    const answers = new Map<string, SourceAnswer>();
    for (const ref of objects.slice(0, MOST_OBJECTS)) {
      const remembered = this.get(namespace, ref);
      if (remembered === undefined || !isGood(namespace, ref, remembered)) return undefined;
      answers.set(sourceName(ref), remembered.answer);
    }
    for (let asked = 0; asked < answers.size; asked++) this.#count('Remembered');
    return knownOf(objects, answers);
  }

  /**
   * Reads what is not known well enough, and resolves within `waitMs`: if the API server takes longer, with what was
   * known before, or with why nothing is. Never rejects.
   */
  async find(namespace: string, { objects }: SourceNeeds, waitMs: number, isGood: IsGood): Promise<KnownSources> {
    const over = new AbortController();
    const deadline = this.#options.clock.sleep(waitMs, over.signal);
    const answers = await Promise.all(
      objects.slice(0, MOST_OBJECTS).map(async (ref) => {
        const inTime = await Promise.race([this.#answer(namespace, ref, isGood), deadline]);
        return [sourceName(ref), inTime ?? this.#late(namespace, ref, waitMs)] as const;
      }),
    );
    over.abort();
    return knownOf(objects, new Map(answers));
  }

  /** Reads an object that has changed, or may have: a read that started earlier may return the old state. */
  async refresh(namespace: string, ref: SourceRef): Promise<void> {
    await this.#flights.get(keyOf(namespace, ref));
    await this.#fly(namespace, ref, true);
  }

  #answer(namespace: string, ref: SourceRef, isGood: IsGood): SourceAnswer | Promise<SourceAnswer> {
    const remembered = this.get(namespace, ref);
    if (remembered === undefined || !isGood(namespace, ref, remembered)) return this.#fly(namespace, ref, false);
    this.#count('Remembered');
    return remembered.answer;
  }

  #fly(namespace: string, ref: SourceRef, isNews: boolean): Promise<SourceAnswer> {
    const key = keyOf(namespace, ref);
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) return underWay;
    const flight = this.#slots(namespace, () => this.#options.read(namespace, ref))
      .catch((error: unknown) => refused(error))
      .then((reading) => this.#keep(namespace, ref, reading, isNews))
      .finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  #keep(namespace: string, ref: SourceRef, reading: SourceReading, isNews: boolean): SourceAnswer {
    const { answer, version, isFailure } = reading;
    const key = keyOf(namespace, ref);
    const isOverdue = this.#overdue.delete(key);
    const before = this.#remembered.get(key);
    if (isFailure && before !== undefined && !('unreadable' in before.answer)) {
      this.#count('Kept');
      this.#remembered.set(key, { ...before, isDoubtful: true }, namespace);
      return before.answer;
    }
    this.#count(resultOf(reading));
    const readAt = this.#options.clock.elapsed();
    this.#remembered.set(key, { answer, version, readAt, isDoubtful: isFailure }, namespace);
    // For an object that was unknown before, the callers get the answer, if they had the time to wait for it.
    const isOther = before === undefined ? isNews || isOverdue : !equal(before.answer, answer);
    if (isOther) this.#onAnswer(namespace, ref);
    return answer;
  }

  /** Time is up. */
  #late(namespace: string, ref: SourceRef, waitMs: number): SourceAnswer {
    const last = this.get(namespace, ref)?.answer;
    this.#overdue.add(keyOf(namespace, ref));
    this.#count(last === undefined ? 'TooSlow' : 'Kept');
    return last ?? { unreadable: `the API server did not answer within ${waitMs / 1000} s; try again` };
  }

  #count(result: ReadResult): void {
    this.#options.metrics.asked(result);
  }
}

function knownOf(objects: readonly SourceRef[], answers: ReadonlyMap<string, SourceAnswer>): KnownSources {
  if (objects.length <= MOST_OBJECTS) return (ref) => answers.get(sourceName(ref));
  const beyond = new Set(objects.slice(MOST_OBJECTS).map(sourceName));
  return (ref) => answers.get(sourceName(ref)) ?? (beyond.has(sourceName(ref)) ? TOO_MANY : undefined);
}

function refused(error: unknown): SourceReading {
  if (!(error instanceof ApiError)) throw error;
  return { answer: { unreadable: error.message }, isFailure: true, isBusy: error.reason === BUSY };
}

function resultOf({ answer, isFailure, isBusy }: SourceReading): ReadResult {
  if (isBusy === true) return 'Busy';
  if (isFailure) return 'Failed';
  return 'data' in answer ? 'Read' : 'missing' in answer ? 'Missing' : 'Forbidden';
}

function keyOf(namespace: string, ref: SourceRef): string {
  return `${namespace}/${ref.kind}/${ref.name}`;
}

function weigh({ answer }: Remembered): number {
  if (!('data' in answer)) return BYTES_PER_ENTRY;
  return Object.entries(answer.data).reduce(
    (sum, [key, value]) => sum + 2 * (key.length + value.length) + BYTES_PER_KEY,
    BYTES_PER_ENTRY,
  );
}
