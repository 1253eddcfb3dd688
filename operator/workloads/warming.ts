import type { Clock } from '../../kube/clock.ts';
import { backoffDelay } from '../../kube/backoff.ts';
import type { BackoffLimits } from '../../kube/backoff.ts';

/** Answers needs of one kind: webhook/image-config or webhook/sources. */
export interface Answerer<Needs, Known> {
  /** Returns what is known without a request; undefined if a request is needed. */
  known(namespace: string, needs: Needs): Known | undefined;
  /** Looks up and resolves within the time; never rejects. */
  find(namespace: string, needs: Needs, waitMs: number): Promise<Known>;
}

export interface WarmingOptions<Needs, Known> {
  readonly answerer: Answerer<Needs, Known>;
  /** Whether an answer covers all needs: else they are looked up again later. */
  readonly isComplete: (needs: Needs, known: Known) => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called when an answer has changed: judge these workloads again. */
  readonly onAnswered: (workloads: readonly string[]) => void;
  /** Called with all that workloads of the namespace need from now on, if that has changed. */
  readonly onUsed?: (namespace: string, needs: readonly Needs[]) => void;
}

interface Asked<Needs, Known> {
  readonly namespace: string;
  readonly needs: Needs;
  /** The workloads that need it. */
  readonly users: Set<string>;
  answer: Known | undefined;
  /** When it was last answered, by Clock.elapsed(). */
  answeredAt: number;
  isUnderWay: boolean;
  failures: number;
  readonly over: AbortController;
}

// Few at a time: they share slots with admission, which users wait for.
const CONCURRENCY = 2;
// A registry may take its time if nobody waits.
const WAIT_MS = 15_000;
const AGAIN: BackoffLimits = { initialMs: 30_000, maxMs: 600_000 };
// A younger answer would be the same again.
const DOUBTFUL_MS = 30_000;

/**
 * Looks up in the background what the workloads of the inventory need, so that admission rarely has to wait, and
 * retries what could not be answered. An answer is kept for as long as a workload needs it: the inventory judges often,
 * and must not ask a registry each time.
 */
export class Warming<Needs, Known> {
  readonly #options: WarmingOptions<Needs, Known>;
  readonly #asked = new Map<string, Asked<Needs, Known>>();
  /** The same by namespace: one namespace must not cost a look through the needs of all. */
  readonly #inNamespace = new Map<string, Map<string, Asked<Needs, Known>>>();
  /** The needs of each workload. */
  readonly #uses = new Map<string, string>();
  /** By namespace, what waits to be looked up; the namespaces take turns. */
  readonly #waiting = new Map<string, Set<string>>();
  #asking = 0;
  #isStopped = false;

  constructor(options: WarmingOptions<Needs, Known>) {
    this.#options = options;
  }

  /**
   * Sets what this workload needs now, replacing what it needed before; undefined: nothing. Returns what is known about
   * it.
   */
  use(workload: string, namespace: string, needs: Needs | undefined): Known | undefined {
    const id = needs === undefined ? undefined : JSON.stringify([namespace, needs]);
    const before = this.#uses.get(workload);
    if (before !== undefined && before !== id) this.#release(workload, before);
    if (needs === undefined || id === undefined) return undefined;
    this.#uses.set(workload, id);
    const asked = this.#asked.get(id) ?? this.#begin(id, namespace, needs);
    asked.users.add(workload);
    return asked.answer;
  }

  /**
   * Call it when the workload contradicts what is known about its needs, which may be outdated. Returns true if so:
   * they are looked up again, and the workload is then judged again. Returns false if the answer is as good as new.
   */
  doubt(workload: string): boolean {
    const id = this.#uses.get(workload);
    const asked = id === undefined ? undefined : this.#asked.get(id);
    if (id === undefined || asked === undefined) return false;
    if (this.#options.clock.elapsed() - asked.answeredAt < DOUBTFUL_MS) return false;
    if (!asked.isUnderWay) this.#queue(id);
    return true;
  }

  /** Looks up again the needs that concern something that has changed. */
  changed(namespace: string, concerns: (needs: Needs) => boolean): void {
    for (const [id, asked] of this.#inNamespace.get(namespace) ?? []) {
      if (!concerns(asked.needs)) continue;
      asked.failures = 0;
      this.#queue(id);
    }
  }

  /** How many needs have no complete answer. */
  get open(): number {
    return [...this.#asked.values()].filter((asked) => !this.#isComplete(asked)).length;
  }

  stop(): void {
    this.#isStopped = true;
    for (const { over } of this.#asked.values()) over.abort();
    this.#waiting.clear();
  }

  #begin(id: string, namespace: string, needs: Needs): Asked<Needs, Known> {
    const answer = this.#options.answerer.known(namespace, needs);
    const over = new AbortController();
    const asked: Asked<Needs, Known> = {
      namespace,
      needs,
      users: new Set(),
      answer,
      answeredAt: this.#options.clock.elapsed(),
      isUnderWay: false,
      failures: 0,
      over,
    };
    this.#asked.set(id, asked);
    const others = this.#inNamespace.get(namespace) ?? new Map<string, Asked<Needs, Known>>();
    this.#inNamespace.set(namespace, others.set(id, asked));
    this.#tellUsed(namespace);
    if (!this.#isComplete(asked)) this.#queue(id);
    return asked;
  }

  #release(workload: string, id: string): void {
    this.#uses.delete(workload);
    const asked = this.#asked.get(id);
    asked?.users.delete(workload);
    if (asked === undefined || asked.users.size > 0) return;
    asked.over.abort();
    this.#asked.delete(id);
    const others = this.#inNamespace.get(asked.namespace);
    others?.delete(id);
    if (others?.size === 0) this.#inNamespace.delete(asked.namespace);
    this.#unqueue(id, asked.namespace);
    this.#tellUsed(asked.namespace);
  }

  #tellUsed(namespace: string): void {
    const { onUsed } = this.#options;
    if (onUsed === undefined) return;
    const inNamespace = [...(this.#inNamespace.get(namespace)?.values() ?? [])];
    onUsed(
      namespace,
      inNamespace.map(({ needs }) => needs),
    );
  }

  #queue(id: string): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    const { namespace } = asked;
    this.#waiting.set(namespace, (this.#waiting.get(namespace) ?? new Set()).add(id));
    this.#pump();
  }

  #unqueue(id: string, namespace: string): void {
    const ids = this.#waiting.get(namespace);
    if (ids?.delete(id) === true && ids.size === 0) this.#waiting.delete(namespace);
  }

  /** Takes what is to be looked up next. */
  #next(): string | undefined {
    const [[namespace, ids] = ['', new Set<string>()]] = this.#waiting;
    const [id] = ids;
    if (id === undefined) return undefined;
    ids.delete(id);
    this.#waiting.delete(namespace);
    if (ids.size > 0) this.#waiting.set(namespace, ids);
    return id;
  }

  #pump(): void {
    while (this.#asking < CONCURRENCY && !this.#isStopped) {
      const id = this.#next();
      const asked = id === undefined ? undefined : this.#asked.get(id);
      if (id === undefined || asked === undefined) return;
      this.#asking += 1;
      void this.#ask(id, asked).finally(() => {
        this.#asking -= 1;
        this.#pump();
      });
    }
  }

  async #ask(id: string, asked: Asked<Needs, Known>): Promise<void> {
    const { answerer, clock, random, onAnswered } = this.#options;
    asked.isUnderWay = true;
    asked.answer = await answerer.find(asked.namespace, asked.needs, WAIT_MS);
    asked.isUnderWay = false;
    asked.answeredAt = clock.elapsed();
    if (asked.over.signal.aborted) return;
    onAnswered([...asked.users]);
    if (this.#isComplete(asked)) return;
    asked.failures += 1;
    const waitMs = backoffDelay(asked.failures, AGAIN, random);
    void clock.sleep(waitMs, asked.over.signal).then(() => {
      if (!asked.over.signal.aborted) this.#queue(id);
    });
  }

  #isComplete({ needs, answer }: Asked<Needs, Known>): boolean {
    return answer !== undefined && this.#options.isComplete(needs, answer);
  }
}
