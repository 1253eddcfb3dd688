/** The header `traceparent` of W3C Trace Context: by it the spans of several processes become one trace. */

export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the span that the request belongs to. */
  readonly spanId: string;
  /** Whether the sender of the request records the trace. */
  readonly isSampled: boolean;
}

const FORM =
  /^(?<version>[0-9a-f]{2})-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/;
// Later versions may be longer than the 55 characters of this one; nothing of that is read.
const LONGEST = 256;
const SAMPLED = 1;

/**
 * Returns what a header says; undefined if there is none, or it is malformed: then a trace begins here
 * (https://www.w3.org/TR/trace-context/#traceparent-header).
 */
export function readTraceparent(header: string | readonly string[] | undefined): TraceParent | undefined {
  if (typeof header !== 'string' || header.length > LONGEST) return undefined;
  const { version = '', traceId = '', spanId = '', flags = '', more } = FORM.exec(header)?.groups ?? {};
  if (traceId === '' || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

/** Returns the header for a request that belongs to a span. */
export function writeTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}
