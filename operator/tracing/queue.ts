import { TraceFlags } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';

/**
 * Bounds how many spans are in memory: those that wait and those that are being sent. The SDK's own queue counts only the
 * former, and says nothing about those that it drops.
 */
export class BoundedQueue implements SpanProcessor {
  readonly #inner: SpanProcessor;
  readonly #most: number;
  readonly #onDropped: () => void;
  #held = 0;

  constructor(inner: SpanProcessor, most: number, onDropped: () => void) {
    this.#inner = inner;
    this.#most = most;
    this.#onDropped = onDropped;
  }

  /** How many spans have ended, and were neither sent nor lost yet. */
  get held(): number {
    return this.#held;
  }

  /** Call it when spans were sent, or given up. */
  release(spans: number): void {
    this.#held -= spans;
  }

  onStart(): void {
    // only what has ended is sent
  }

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    if (this.#held >= this.#most) {
      this.#onDropped();
      return;
    }
    this.#held += 1;
    this.#inner.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}
