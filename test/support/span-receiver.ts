/** What takes spans by OTLP over HTTP in JSON, and keeps them: a collector's back end in tests, or a collector itself. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

import { eventually } from './operator.ts';

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly kind: number;
  readonly isError: boolean;
  /** Those of the span itself. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Those of the process. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  /** Trace ids of spans that it is linked with. */
  readonly links: readonly string[];
}

export interface SpanReceiver {
  /** http://127.0.0.1:PORT, or https:// */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Every byte of every body, to look for what must not be there. */
  readonly text: string;
  /** Of each request, in order. */
  readonly headers: readonly IncomingHttpHeaders[];
  readonly paths: readonly string[];
  /** Resolves with the first span that is as asked for, as soon as it is there. */
  span(what: string, is: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan>;
  close(): Promise<void>;
}

/**
 * Starts a receiver on loopback.
 * @param answer answers the requests instead, whose bodies are read and kept all the same
 * @param tls the certificate to serve; left out: it speaks HTTP without TLS
 */
export async function startSpanReceiver(
  answer?: RequestListener,
  tls?: { readonly certificate: string; readonly key: string },
): Promise<SpanReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const paths: string[] = [];
  let text = '';
  const serve: RequestListener = (request, response) => {
    headers.push(request.headers);
    paths.push(request.url ?? '');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent).toString('utf8');
      text += body;
      if (request.headers['content-type']?.includes('json')) spans.push(...spansIn(JSON.parse(body) as Batch));
      if (answer === undefined) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      else answer(request, response);
    });
  };
  const server =
    tls === undefined ? createServer(serve) : createTlsServer({ cert: tls.certificate, key: tls.key }, serve);
  const { port } = await listening(server);
  return {
    endpoint: `http${tls === undefined ? '' : 's'}://127.0.0.1:${port}`,
    spans,
    headers,
    paths,
    get text() {
      return text;
    },
    span: (what, is) =>
      eventually(
        what,
        () => spans.find(is),
        30_000,
        () => JSON.stringify(spans.slice(-20), undefined, 1),
      ),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function listening(server: Server): Promise<AddressInfo> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address() as AddressInfo;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

interface Batch {
  readonly resourceSpans: readonly {
    readonly resource?: { readonly attributes?: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly kind?: number;
        readonly status?: { readonly code?: number };
        readonly attributes?: readonly Attribute[];
        readonly links?: readonly { readonly traceId: string }[];
      }[];
    }[];
  }[];
}

const ERROR = 2;

function spansIn({ resourceSpans }: Batch): readonly ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, traceId, spanId, parentSpanId = '', kind = 0, status, attributes, links = [] }) => ({
        ...{ name, traceId, spanId, parentSpanId, kind, isError: status?.code === ERROR },
        attributes: recordOf(attributes),
        resource: recordOf(resource?.attributes),
        links: links.map((link) => link.traceId),
      })),
    ),
  );
}

function recordOf(attributes: readonly Attribute[] = []): ReceivedSpan['attributes'] {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? boolValue ?? doubleValue ?? Number(intValue),
    ]),
  );
}
