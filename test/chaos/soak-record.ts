/** What happens in a soak: changes, failures, violations, and what the replicas take. */
import { readdirSync } from 'node:fs';

import { ApiError } from '../../kube/object-client.ts';
import { connectionsTo, memoryOf } from '../bench/operator-figures.ts';
import type { RunningOperator } from '../support/operator.ts';

/** What one replica takes at one moment. */
export interface Sample {
  /** Seconds since the begin of the soak. */
  readonly at: number;
  readonly replica: string;
  readonly pid: number;
  readonly rssMiB: number;
  /** Heap in use, by the process's own word; NaN when it does not answer. */
  readonly heapMiB: number;
  readonly descriptors: number;
  /** To the API server. */
  readonly connections: number;
  /** The longest delay of the event loop since the sample before, by the process's own word. */
  readonly loopMs: number;
  readonly isReady: boolean;
}

export class SoakRecord {
  readonly samples: Sample[] = [];
  readonly violations: string[] = [];
  readonly counts = new Map<string, number>();
  /** By what the API server or the webhook said; those that the story expects are not here. */
  readonly failures = new Map<string, number>();
  longestWaitMs = 0;
  /** Until then the operator cannot be expected to do anything: Date.now() or before; in the future while it lasts. */
  disturbedUntil = 0;
  readonly begun = Date.now();
  readonly #tell: (line: string) => unknown;
  #disturbances = 0;

  /** @param tell writes a line for people */
  constructor(tell: (line: string) => unknown) {
    this.#tell = tell;
  }

  get seconds(): number {
    return (Date.now() - this.begun) / 1000;
  }

  tell(line: string): void {
    this.#tell(`${new Date().toISOString()} ${line}`);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** The sum of the counts whose names begin so. */
  sum(prefix: string): number {
    return [...this.counts].reduce((sum, [what, count]) => sum + (what.startsWith(prefix) ? count : 0), 0);
  }

  violated(what: string): void {
    this.violations.push(`${new Date().toISOString()} ${what}`);
    this.tell(`VIOLATION ${what}`);
  }

  failed(isUnexpected: boolean, error: Error): void {
    const kind = kindOf(error);
    this.count(`workload: ${isUnexpected ? 'not stored' : 'refused by an unusable policy'}`);
    if (isUnexpected) this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
  }

  waited(ms: number): void {
    this.longestWaitMs = Math.max(this.longestWaitMs, ms);
  }

  /** Notes that something is done to the operator or the API server while `work` lasts. */
  async disturb<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.count(`disturbance: ${what}`);
    this.tell(what);
    this.#disturbances += 1;
    this.disturbedUntil = Number.MAX_SAFE_INTEGER;
    try {
      return await work();
    } finally {
      this.#disturbances -= 1;
      if (this.#disturbances === 0) this.disturbedUntil = Date.now();
    }
  }

  async sample(replica: string, operator: RunningOperator, apiServerPort: number): Promise<void> {
    const [metrics, ready] = await Promise.all([operator.health('/metrics'), operator.health('/readyz')]);
    const metric = (name: string): number =>
      Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics.body)?.[1] ?? Number.NaN);
    if (!operator.running()) return;
    const { pid } = operator;
    this.samples.push({
      at: this.seconds,
      replica,
      pid,
      rssMiB: memoryOf(pid).rssMiB,
      heapMiB: metric('nodejs_heap_size_used_bytes') / 2 ** 20,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      connections: connectionsTo(pid, apiServerPort),
      loopMs: metric('nodejs_eventloop_lag_max_seconds') * 1000,
      isReady: ready.status === 200,
    });
  }
}

function kindOf(error: Error): string {
  const { message } = error;
  if (error instanceof ApiError && error.code === 0) return `no answer: ${error.reason}`;
  const webhook = /failed calling webhook.*/s.exec(message)?.[0];
  const text = webhook ?? message.replace(/^\S+ \S+: /, '');
  // names, ports and times would make each its own kind
  return text
    .replaceAll(/\b[wt]-\d+\b/g, 'NAME')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .slice(0, 300);
}

/** Least squares: how much y grows while x grows by one; NaN for less than two points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
