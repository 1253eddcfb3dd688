import { annotation } from '../../core/injection/annotations.ts';
import type { Judgement } from './inventory.ts';
import type { State } from '../../core/workload/standing.ts';

interface Outcome {
  /** The request that this process sees on the workload, or has sent last. */
  readonly request: string;
  /** It was injected under it. */
  readonly seenInjected: boolean;
  /** Requests in a row that changed nothing. */
  readonly fruitless: number;
}

/**
 * What became of requests, as far as this process saw. It adds to what the annotations of the workload tell: whoever
 * replaces a whole object takes them out, and must not make the operator begin from the start each time.
 */
export class RequestOutcomes {
  readonly #outcomes = new Map<string, Outcome>();

  of(key: string): Outcome | undefined {
    return this.#outcomes.get(key);
  }

  /** The answer to a request of this process: how the workload stands with it. */
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
