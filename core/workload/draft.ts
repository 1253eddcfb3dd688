import { annotation } from '../injection/annotations.ts';
import { formatRequest } from './request.ts';
import type { Request } from './request.ts';
import type { Action, Plan, Stall } from './tracked.ts';

/** A plan in the making. */
export class Draft {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly actions = new Map<string, Action>();
  readonly #stalls = new Map<string, Stall>();
  readonly rolling: string[] = [];
  /** How many of them make no progress. */
  stuck = 0;
  isWaiting = false;
  #againInMs = Infinity;

  constructor(now: number) {
    this.now = now;
  }

  /** Returns true if something has taken `ms` milliseconds; else schedules another look for when it has. */
  isOver(ageMs: number, ms: number): boolean {
    if (ageMs >= ms) return true;
    this.#againInMs = Math.min(this.#againInMs, ms - ageMs);
    return false;
  }

  request(key: string, request: Omit<Request, 'time'>, message: string, more: Action['annotations'] = {}): void {
    const requested = formatRequest({ ...request, time: this.now });
    const annotations = { [annotation.requested]: requested, ...more };
    this.actions.set(key, { key, kind: request.kind, annotations, message });
  }

  /** Of several about one workload the first counts. */
  stall(stall: Stall): void {
    if (!this.#stalls.has(stall.key)) this.#stalls.set(stall.key, stall);
  }

  plan(): Plan {
    const { rolling, stuck, isWaiting } = this;
    const stalls = [...this.#stalls.values()];
    const again = this.#againInMs === Infinity ? {} : { againInMs: this.#againInMs };
    return { actions: [...this.actions.values()], stalls, rolling, stuck, isWaiting, ...again };
  }
}
