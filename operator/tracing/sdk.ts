/**
 * OpenTelemetry's SDK behind the operator's own interface. Nothing but a dynamic import leads here: where traces are off, the
 * SDK is not even loaded (build/bundle.ts makes dist/tracing.mjs of this file).
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import type { Context, Span as SdkSpan, Tracer as SdkTracer } from '@opentelemetry/api';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Sampler } from '@opentelemetry/sdk-trace';

import { shownText } from '../../core/shown.ts';
import { SPANS } from '../../core/spans.ts';
import type { SpanAttributes, SpanName } from '../../core/spans.ts';
import { readTraceparent, writeTraceparent } from '../../core/traceparent.ts';
import { atMost } from '../../kube/clock.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { NO_SPAN } from '../../kube/tracer.ts';
import type { Span, Tracer } from '../../kube/tracer.ts';
import { SpansLost } from './failure.ts';
import { BoundedQueue } from './queue.ts';
import { SpanSender } from './sender.ts';
import { SERVICE_NAME } from './settings.ts';
import type { TracingSettings } from './settings.ts';

export interface SdkOptions {
  readonly settings: TracingSettings;
  /** Of the operator. */
  readonly version: string;
  /** Of this process among its replicas: the name of the pod. */
  readonly instance: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly outages: Pick<OutageLog, 'failed' | 'worked'>;
}

export interface Tracing {
  readonly tracer: Tracer;
  /** Sends what waits, for two seconds at most, and ends all connections to the collector. Never rejects. */
  stop(): Promise<void>;
}

// A collector that is there takes a batch in milliseconds; one that is not must not keep the pod from ending.
const FLUSH_MS = 2_000;
// Names have 253 characters at most. Nothing else that a tenant writes is an attribute.
const LONGEST_VALUE = 256;
const MOST_ATTRIBUTES = 32;
// The sender ends each batch by then; the SDK's own limit would let it send the next one beside it.
const GRACE_MS = 5_000;

const SENDING = 'exporting spans';
const KINDS = { Server: SpanKind.SERVER, Client: SpanKind.CLIENT, Internal: SpanKind.INTERNAL } as const;

/** Creates the tracer. It connects to nothing before the first span has ended. */
export function createSdk({ settings, version, instance, clock, logger, outages }: SdkOptions): Tracing {
  let dropped = 0;
  const lost = (spans: number, subject: string, why: SpansLost): void => {
    dropped += spans;
    outages.failed(SENDING, subject, why, { droppedSpans: dropped });
  };
  const sender = new SpanSender({
    settings,
    userAgent: `${SERVICE_NAME}/${version}`,
    clock,
    onSent: (spans, rejected) => {
      queue.release(spans);
      if (rejected > 0) lost(rejected, '', new SpansLost(`the collector rejects ${rejected} of ${spans} spans`));
      else outages.worked(SENDING, '');
      if (queue.held < settings.queue.mostAtOnce) outages.worked(SENDING, 'queue');
    },
    onLost: (spans, why) => {
      queue.release(spans);
      lost(spans, '', why);
    },
  });
  const { delayMs, mostWaiting, mostAtOnce } = settings.queue;
  const batches = new BatchSpanProcessor({
    exporter: sender,
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: settings.timeoutMs + GRACE_MS,
    maxQueueSize: mostWaiting,
    maxExportBatchSize: mostAtOnce,
  });
  const tooMany = new SpansLost(
    `more spans than ${mostWaiting} wait for the collector: record fewer by OTEL_TRACES_SAMPLER=parentbased_traceidratio and OTEL_TRACES_SAMPLER_ARG, or raise OTEL_BSP_MAX_QUEUE_SIZE`,
  );
  const queue = new BoundedQueue(batches, mostWaiting, () => lost(1, 'queue', tooMany));
  const own = { 'service.version': version, 'service.instance.id': instance };
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ ...own, ...settings.resource })),
    sampler: samplerOf(settings.sampler),
    spanProcessors: [queue],
    spanLimits: { attributeCountLimit: MOST_ATTRIBUTES, attributeValueLengthLimit: LONGEST_VALUE },
  });
  const tracer = new OpenTelemetryTracer(provider.getTracer(SERVICE_NAME, version), settings.readsParent);
  const stop = async (): Promise<void> => {
    await atMost(
      clock,
      FLUSH_MS,
      provider.shutdown().catch(() => undefined),
    );
    const unsent = queue.held;
    sender.close();
    if (unsent > 0)
      logger.warn({ droppedSpans: dropped + unsent }, 'the collector did not take all spans before the end');
  };
  return { tracer, stop };
}

function samplerOf({ followsParent, share }: TracingSettings['sampler']): Sampler {
  const root = share === 1 ? new AlwaysOnSampler() : share === 0 ? new AlwaysOffSampler() : ratioOf(share);
  return followsParent ? new ParentBasedSampler({ root }) : root;
}

function ratioOf(share: number): Sampler {
  return new TraceIdRatioBasedSampler(share);
}

class OpenTelemetryTracer implements Tracer {
  readonly #tracer: SdkTracer;
  readonly #readsParent: boolean;

  constructor(tracer: SdkTracer, readsParent: boolean) {
    this.#tracer = tracer;
    this.#readsParent = readsParent;
  }

  start(name: SpanName, traceparent?: string | readonly string[]): Span {
    const parent = this.#readsParent ? readTraceparent(traceparent) : undefined;
    if (parent === undefined) return this.within(ROOT_CONTEXT, name);
    const { traceId, spanId, isSampled } = parent;
    const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
    return this.within(trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true }), name);
  }

  within(context: Context, name: SpanName): Span {
    const span = this.#tracer.startSpan(name, { kind: KINDS[SPANS[name].kind] }, context);
    return span.isRecording() ? new RecordedSpan(span, this) : NO_SPAN;
  }
}

class RecordedSpan implements Span {
  readonly isRecorded = true;
  readonly #span: SdkSpan;
  readonly #tracer: OpenTelemetryTracer;

  constructor(span: SdkSpan, tracer: OpenTelemetryTracer) {
    this.#span = span;
    this.#tracer = tracer;
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return writeTraceparent({ traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0 });
  }

  child(name: SpanName): Span {
    return this.#tracer.within(trace.setSpan(ROOT_CONTEXT, this.#span), name);
  }

  set(attributes: SpanAttributes): void {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined) continue;
      this.#span.setAttribute(name, typeof value === 'string' ? shownText(value, LONGEST_VALUE) : value);
    }
  }

  fail(errorType: string): void {
    this.#span.setAttribute('error.type', shownText(errorType, LONGEST_VALUE));
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    this.#span.end();
  }
}
