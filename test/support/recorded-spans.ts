/** A tracer that keeps what is said to it, for tests of parts that record spans. */
import type { SpanAttributes, SpanName } from '../../core/spans.ts';
import type { Span, Tracer } from '../../kube/tracer.ts';

export interface RecordedSpan {
  readonly name: SpanName;
  readonly parent: RecordedSpan | undefined;
  readonly traceparent: string | readonly string[] | undefined;
  attributes: SpanAttributes;
  errorType: string | undefined;
  /** How often end() was called: once, if all is well. */
  ends: number;
}

/** The header that each span of a RecordingTracer gives to those that are called. */
export const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

export class RecordingTracer implements Tracer {
  readonly spans: RecordedSpan[] = [];

  start(name: SpanName, traceparent?: string | readonly string[]): Span {
    return this.#begin({ name, traceparent, parent: undefined, attributes: {}, errorType: undefined, ends: 0 });
  }

  #begin(span: RecordedSpan): Span {
    this.spans.push(span);
    return {
      isRecorded: true,
      traceparent: TRACEPARENT,
      child: (name) =>
        this.#begin({ name, traceparent: undefined, parent: span, attributes: {}, errorType: undefined, ends: 0 }),
      set: (attributes) => {
        if (span.ends === 0) span.attributes = { ...span.attributes, ...attributes };
      },
      fail: (errorType) => {
        if (span.ends === 0) span.errorType = errorType;
      },
      end: () => {
        span.ends += 1;
      },
    };
  }
}
