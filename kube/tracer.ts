/**
 * Traces, as all parts of the operator see them. Spans are passed on as arguments: where traces are off, which is the default,
 * there is one span that does nothing, and no store of what is current for each asynchronous call.
 */
import type { SpanAttributes, SpanName } from '../core/spans.ts';

/** Something that takes time, for one trace. Never pass it a secret, token, argv or patch. */
export interface Span {
  /** false: nobody will see this span, and there is no need to collect attributes. */
  readonly isRecorded: boolean;
  /** The header by which what is called with it continues the trace; undefined if this span is not recorded. */
  readonly traceparent: string | undefined;
  /** Starts a span that is part of this one. */
  child(name: SpanName): Span;
  set(attributes: SpanAttributes): void;
  /** Says that it failed, by a short word, which is the attribute error.type. */
  fail(errorType: string): void;
  /** Its end. What comes later is ignored. */
  end(): void;
}

export interface Tracer {
  /**
   * Starts a span.
   * @param traceparent the header of a request that it belongs to; left out, or malformed: a trace begins with it
   */
  start(name: SpanName, traceparent?: string | readonly string[]): Span;
}

/** The span that is not recorded. */
export const NO_SPAN: Span = {
  isRecorded: false,
  traceparent: undefined,
  child: () => NO_SPAN,
  set: () => undefined,
  fail: () => undefined,
  end: () => undefined,
};

/** The tracer where traces are off. */
export const NO_TRACER: Tracer = { start: () => NO_SPAN };
