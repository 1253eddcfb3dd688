import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';

import { codeOf, tlsFaultOf } from '../../core/network-error.ts';
import { retryAfterMs } from '../../core/retry-after.ts';
import type { Clock } from '../../kube/clock.ts';
import { refusedBy, SpansLost, unreachable } from './failure.ts';
import type { NamedFile, TracingSettings } from './settings.ts';

export interface SpanSenderOptions {
  readonly settings: Pick<TracingSettings, 'url' | 'protocol' | 'headers' | 'isCompressed' | 'timeoutMs' | 'tls'>;
  readonly userAgent: string;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Called once for each batch, with how many spans were in it, and how many of them the collector did not take. */
  readonly onSent: (spans: number, rejected: number) => void;
  /** Called instead where a batch was not delivered. */
  readonly onLost: (spans: number, why: SpansLost) => void;
}

// https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const RETRIES = 4;
const FIRST_PAUSE_MS = 1_000;
// An answer says at most how many spans were rejected, and why.
const LONGEST_ANSWER = 65_536;
const compressed = promisify(gzip);

const SERIALIZERS = {
  'http/protobuf': { serializer: ProtobufTraceSerializer, contentType: 'application/x-protobuf' },
  'http/json': { serializer: JsonTraceSerializer, contentType: 'application/json' },
} as const;

/**
 * Sends batches of spans to a collector by OTLP over HTTP. The collector is not trusted: a batch takes no longer than its
 * timeout, whatever the collector does, at most 64 kB of an answer are read, no redirect is followed, and nothing of an answer
 * is logged. OpenTelemetry's own exporter reads 4 MiB, and lets an answer that comes slowly take forever.
 */
export class SpanSender implements SpanExporter {
  readonly #options: SpanSenderOptions;
  readonly #stopped = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #agent: HttpAgent | undefined;
  /** What the agent was made with. */
  #certificates = '';

  constructor(options: SpanSenderOptions) {
    this.#options = options;
  }

  /** Never throws. To the SDK every batch is a success: a failure would only be repeated in its own log. */
  export(spans: ReadableSpan[], done: (result: { code: 0 }) => void): void {
    const { onSent, onLost, settings } = this.#options;
    const delivery = this.#deliver(spans)
      .then(
        (rejected) => onSent(spans.length, Math.min(rejected, spans.length)),
        (error: unknown) => onLost(spans.length, unreachable(error, settings)),
      )
      .finally(() => {
        this.#underWay.delete(delivery);
        done({ code: 0 });
      });
    this.#underWay.add(delivery);
  }

  /** Resolves when no batch is under way: at its end, the SDK waits only for those that it begins then. */
  async shutdown(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Gives up what is being sent, and closes all connections. */
  close(): void {
    this.#stopped.abort();
    this.#agent?.destroy();
  }

  /** Resolves with the number of spans that the collector rejects. */
  async #deliver(spans: ReadableSpan[]): Promise<number> {
    const { settings, clock } = this.#options;
    const { serializer, contentType } = SERIALIZERS[settings.protocol];
    const bytes = serializer.serializeRequest(spans) ?? new Uint8Array();
    const body = settings.isCompressed ? await compressed(bytes) : bytes;
    const headers = {
      ...settings.headers,
      'content-type': contentType,
      'content-length': String(body.length),
      'user-agent': this.#options.userAgent,
      ...(settings.isCompressed && { 'content-encoding': 'gzip' }),
    };
    const signal = AbortSignal.any([AbortSignal.timeout(settings.timeoutMs), this.#stopped.signal]);
    const isOver = (): boolean => signal.aborted;
    const agent = await this.#connections();
    for (let attempt = 0, pauseMs = FIRST_PAUSE_MS; ; attempt++, pauseMs *= 2) {
      const answer = await this.#post(body, headers, agent, signal).catch((error: unknown) => ({ error }));
      if ('status' in answer && answer.status < 300) return rejectedIn(answer.body, serializer);
      const failure = 'status' in answer ? refusedBy(answer.status) : answer.error;
      const mayWork = 'status' in answer ? RETRYABLE.has(answer.status) : mayBeOver(answer.error);
      if (isOver() || attempt === RETRIES || !mayWork) throw failure;
      await clock.sleep(Math.max(pauseMs, 'status' in answer ? answer.retryAfterMs : 0), signal);
      if (isOver()) throw failure;
    }
  }

  /** Certificates are read again for each batch, because they are renewed while the process runs. */
  async #connections(): Promise<HttpAgent> {
    const { url, tls } = this.#options.settings;
    if (url.protocol === 'http:') return (this.#agent ??= new HttpAgent({ keepAlive: true }));
    const [ca, cert, key] = await Promise.all([contentOf(tls.ca), contentOf(tls.cert), contentOf(tls.key)]);
    const certificates = JSON.stringify([ca, cert, key]);
    if (this.#agent === undefined || this.#certificates !== certificates) {
      this.#agent?.destroy();
      this.#agent = new HttpsAgent({ keepAlive: true, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
      this.#certificates = certificates;
    }
    return this.#agent;
  }

  #post(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    agent: HttpAgent,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Uint8Array; readonly retryAfterMs: number }> {
    const { url } = this.#options.settings;
    return new Promise((resolve, reject) => {
      const failed = (error: unknown): void => reject(asError(signal.aborted ? signal.reason : error));
      const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const call = send(url, { method: 'POST', headers, agent, signal }, (answer) => {
        const { statusCode: status = 0 } = answer;
        const retryAfter = retryAfterMs(answer.headers['retry-after'], answer.headers.date) ?? 0;
        const answered = (read: Uint8Array): void => resolve({ status, body: read, retryAfterMs: retryAfter });
        answer.once('error', failed);
        if (status < 300) read(answer, answered);
        else {
          // nothing of it is of use, and the connection may not serve for another request
          answer.destroy();
          answered(new Uint8Array());
        }
      });
      call.once('error', failed);
      call.end(body);
    });
  }
}

/** Passes on what an answer says; nothing of one that is too long. */
function read(answer: IncomingMessage, then: (body: Uint8Array) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  answer.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= LONGEST_ANSWER) chunks.push(chunk);
    else {
      answer.destroy();
      then(new Uint8Array());
    }
  });
  answer.once('end', () => then(Buffer.concat(chunks)));
}

/** A collector that takes everything says nothing. */
function rejectedIn(
  body: Uint8Array,
  serializer: (typeof SERIALIZERS)[keyof typeof SERIALIZERS]['serializer'],
): number {
  if (body.length === 0) return 0;
  try {
    // in JSON an int64 is text
    const said: unknown = serializer.deserializeResponse(body).partialSuccess?.rejectedSpans;
    const rejected = Number(said ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    return 0;
  }
}

/** Whether the same connection may succeed a second later: not with the wrong certificate, or another protocol. */
function mayBeOver(error: unknown): boolean {
  const code = codeOf(error);
  return tlsFaultOf(code) === undefined && !code.startsWith('HPE_');
}

async function contentOf(file: NamedFile | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return readFile(file.path, 'utf8').catch((error: unknown) => {
    const { code = 'it cannot be read' } = error as NodeJS.ErrnoException;
    throw new SpansLost(`the file that ${file.variable} names: ${code}`);
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
