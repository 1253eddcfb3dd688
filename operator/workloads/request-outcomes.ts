import { annotation } from '../../core/injection/annotations.ts';
import type { Judgement } from './inventory.ts';
import type { State } from '../../core/workload/standing.ts';

interface Outcome {
  /** The request that this process sees on the workload, or last sent. */
  readonly request: string;
  /** The workload was injected under that request. */
  readonly seenInjected: boolean;
  /** Consecutive requests that changed nothing. */
  readonly fruitless: number;
}

/**
 * The outcomes of requests, as far as this process saw them. They complement the workload's annotations: a client that
 * replaces the whole object removes those, which must not make the operator start over each time.
 */
export class RequestOutcomes {
  readonly #outcomes = new Map<string, Outcome>();

  of(key: string): Outcome | undefined {
    return this.#outcomes.get(key);
  }

  /** Notes the result of a request of this process: the workload's state after it. */
  answered(key: string, request: string, state: State | undefined): void {
    const isEffective = state !== 'Missed' && state !== 'Outdated';
    const before = this.#outcomes.get(key)?.fruitless ?? 0;
    this.#outcomes.set(key, {
      request,
      seenInjected: state === 'Injected',
      fruitless: isEffective ? 0 : before + 1,
    });
  }

  judged({ key, workload, standing }: Judgement): void {
    if (standing === undefined) {
      this.#outcomes.delete(key);
      return;
    }
    if (standing.state !== 'Injected') return;
    const request = workload.annotations[annotation.requested];
    if (request === undefined) return;
    this.#outcomes.set(key, { request, seenInjected: true, fruitless: 0 });
  }

  forget(key: string): void {
    this.#outcomes.delete(key);
  }
}
