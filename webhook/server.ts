import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../kube/clock.ts';
import { atMost } from '../kube/clock.ts';
import { listen } from '../kube/listen.ts';
import type { Place } from '../kube/listen.ts';
import type { Logger } from '../kube/log.ts';
import { plain } from './admission.ts';
import type { Admission, Answer } from './admission.ts';
import type { ServingPair } from './certificates/inspect.ts';
import { ENTRY_PATHS } from './configuration/configuration.ts';
import type { EntryKey } from './configuration/configuration.ts';
import type { WebhookMetrics } from './metrics.ts';
import { receiveBody } from './request-body.ts';
import type { BodyLimits } from './request-body.ts';

export interface WebhookServerOptions {
  readonly admission: Admission;
  /** Answers the reviews of the probe, by which the operator sees that API servers reach this server. */
  readonly probe: (body: Buffer) => Answer;
  readonly place: Place;
  /** Returns the pair to serve from the start; undefined: there is none yet, and start() rejects. */
  readonly certificate: () => ServingPair | undefined;
  readonly metrics: WebhookMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  /** Bytes of one body. */
  readonly bodyBytes: number;
  /** Requests whose body is being received at the same time. */
  readonly inFlight: number;
  /** Bytes of unfinished bodies in total. */
  readonly bufferedBytes: number;
  readonly connections: number;
  /**
   * Milliseconds to keep reading from a client that still sends after its response, so that it can read the response.
   */
  readonly lingerMs: number;
}

const MIB = 2 ** 20;

export const LIMITS: Limits = {
  // controller-runtime's figure: etcd takes objects up to 1.5 MiB, the API server up to 3 MiB, a review holds two
  // (object and oldObject), with 1 MiB to spare
  bodyBytes: 7 * MIB,
  // Deciding is synchronous, so what piles up is bodies in transit. An API server keeps about as many connections as it
  // has admissions in progress; a few hundred at 1 ms each are done well within timeoutSeconds.
  inFlight: 512,
  // four of the largest, or thousands of ordinary ones (8 kB)
  bufferedBytes: 32 * MIB,
  // about 50 kB each with TLS: 50 MiB if somebody opens them all
  connections: 1024,
  lingerMs: 2000,
};

// Go's transport, which the API server uses, closes connections that were idle for 90 s. This side must not close
// first, or a review could be sent into a connection that is being closed (Node's own default is 5 s).
const KEEP_ALIVE_MS = 95_000;
// controller-runtime's ReadHeaderTimeout
const HEADERS_MS = 32_000;
// No API server waits longer than timeoutSeconds, at most 30; Node rejects a value below the one for the headers.
const REQUEST_MS = 32_000;
// how late the two may take effect; Node's default is 30 s
const TIMEOUT_CHECK_MS = 5_000;
// Node's default is 120 s
const HANDSHAKE_MS = 10_000;

const PATHS = Object.entries(ENTRY_PATHS).map(([entry, path]) => [path, entry as EntryKey] as const);

/** Milliseconds of each step of drain(). */
export interface DrainTimes {
  /** Reviews are still answered, until API servers have learned that this replica is going. */
  readonly answerMs: number;
  /** Those that come all the same are asked to come again, which leads them to another replica. */
  readonly refuseMs: number;
  /** What is still under way may finish. */
  readonly cutMs: number;
}

/** The HTTPS server that the API server calls. */
export class WebhookServer {
  readonly #options: WebhookServerOptions;
  readonly #limits: Limits;
  readonly #server: Server;
  readonly #bodyLimits: BodyLimits;
  readonly #refusals: ReturnType<typeof refusals>;
  #inFlight = 0;
  #listening = false;
  #draining = false;
  #refusing = false;

  constructor(options: WebhookServerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#bodyLimits = bodyLimits(this.#limits);
    this.#refusals = refusals(this.#limits);
    this.#server = createServer(
      {
        minVersion: 'TLSv1.2',
        handshakeTimeout: HANDSHAKE_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
        connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      },
      (request, response) => this.#serve(request, response),
    );
    options.metrics.watchInFlight(() => this.#inFlight);
    this.#server.maxConnections = this.#limits.connections;
    this.#server.on('secureConnection', () => options.metrics.tlsHandshake());
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
      options.metrics.tlsError();
      options.logger.debug({ code: error.code }, 'TLS handshake failed');
    });
  }

  /** Why no review should be sent here, in a few words; undefined if reviews are welcome. */
  get problem(): string | undefined {
    if (this.#draining) return 'draining';
    return this.#listening ? undefined : 'not listening yet';
  }

  /** Resolves with the address when reviews are answered. Rejects with ListenError if it cannot listen. */
  async start(): Promise<AddressInfo> {
    const { certificate, place, logger } = this.#options;
    const pair = certificate();
    if (pair === undefined) throw new Error('there is no certificate to serve');
    this.setCertificate(pair);
    const address = await listen(this.#server, place);
    this.#listening = true;
    this.#server.on('error', (error) => logger.error({ error: error.message }, 'webhook server'));
    return address;
  }

  /** Stops listening and closes the connections that drain() has left. */
  async stop(): Promise<void> {
    await this.drain({ answerMs: 0, refuseMs: 0, cutMs: 0 });
  }

  /** Sets the certificate for new handshakes; open connections keep their session. */
  setCertificate({ cert, key }: ServingPair): void {
    this.#server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
  }

  /**
   * Shuts down so that no API server loses a review. From now on every response closes its connection, and readiness is
   * false (`problem`). After `answerMs` it still listens, but asks API servers to repeat new reviews; after another
   * `refuseMs` it stops listening and closes idle connections; after another `cutMs` it closes the rest.
   */
  async drain({ answerMs, refuseMs, cutMs }: DrainTimes): Promise<void> {
    const { clock } = this.#options;
    this.#draining = true;
    if (answerMs > 0) await clock.sleep(answerMs);
    this.#refusing = true;
    if (refuseMs > 0) await clock.sleep(refuseMs);
    await arrivalsRead();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    await atMost(clock, cutMs, closed);
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const entry = entryOf(request.url);
    const refusal = this.#refusalFor(request, entry);
    if (refusal === undefined) this.#inFlight += 1;
    receiveBody(request, this.#bodyLimits, refusal !== undefined, (received) => {
      if (refusal === undefined) this.#inFlight -= 1;
      if (received === 'gone') return;
      if ('body' in received) {
        const { admission, probe } = this.#options;
        // a request without an entry was rejected above
        const answer = entry === 'probe' ? probe(received.body) : admission(entry ?? 'ignore', received.body);
        // Node drops what is written to a client that has disconnected.
        if (answer instanceof Promise) void answer.then((late) => this.#send(response, late));
        else this.#send(response, answer);
        return;
      }
      const answer = refusal ?? this.#refusals[received.refused === 'NoRoom' ? 'busy' : 'tooLarge'];
      if (received.sending) this.#sendAndLinger(request, response, answer);
      else this.#send(response, answer);
    });
  }

  /** Returns why to reject a request before its body is read. */
  #refusalFor(request: IncomingMessage, entry: EntryKey | undefined): Answer | undefined {
    if (entry === undefined) return this.#refusals.notFound;
    if (request.method !== 'POST') return this.#refusals.notPost;
    if (!isJson(request)) return this.#refusals.notJson;
    if (this.#refusing) return this.#refusals.stopping;
    if (this.#inFlight >= this.#limits.inFlight) return this.#refusals.busy;
    return undefined;
  }

  #send(response: ServerResponse, answer: Answer): void {
    this.#writeHead(response, answer, this.#draining);
    response.end(answer.body);
  }

  /**
   * Answers a client that is still sending. Closing at once would make the kernel reset the connection, and the client
   * would lose the response; so the connection stays open, and input is dropped, until the client ends or time is up.
   */
  #sendAndLinger(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    this.#writeHead(response, answer, true);
    response.write(answer.body);
    const ended = new AbortController();
    request.on('close', () => ended.abort());
    request.on('end', () => ended.abort());
    void this.#options.clock.sleep(this.#limits.lingerMs, ended.signal).then(() => response.end());
  }

  #writeHead(response: ServerResponse, { status, contentType, body, headers }: Answer, close: boolean): void {
    if (status !== 200) this.#options.metrics.refused(status);
    const length = Buffer.byteLength(body);
    if (close || headers !== undefined) {
      const connection = close ? { Connection: 'close' } : {};
      response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': length, ...connection, ...headers });
    } else response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': length });
  }
}

function bodyLimits({ bodyBytes, bufferedBytes }: Limits): BodyLimits {
  let buffered = 0;
  return {
    bytes: bodyBytes,
    hold: (count) => {
      if (count > 0 && buffered + count > bufferedBytes) return false;
      buffered += count;
      return true;
    },
  };
}

// API servers send a call again that was answered 429 or 5xx with this header: up to ten times within timeoutSeconds,
// after so many seconds (measured on 1.37: nine answers 503 with 0, then 200, took 57 ms). They never repeat one whose
// connection was closed. The connection closes, so that the next attempt may reach another replica.
const AT_ONCE = { 'Retry-After': '0', Connection: 'close' } as const;

/** Answers to requests that never become reviews. */
function refusals({ bodyBytes }: Limits) {
  return {
    notFound: plain(404, 'not found: this server answers POST /mutate/ignore and POST /mutate/fail'),
    notPost: plain(405, 'only POST', { Allow: 'POST' }),
    notJson: plain(415, 'unsupported content type: send application/json'),
    tooLarge: plain(413, `the body is larger than ${bodyBytes} bytes`),
    busy: plain(503, 'too many reviews at once', AT_ONCE),
    stopping: plain(503, 'this replica is stopping', AT_ONCE),
  } satisfies Record<string, Answer>;
}

/**
 * Resolves when everything has been read that had arrived before. A process that waited for the processor runs timers
 * before it reads: connections whose request still waits in the kernel would count as idle, and API servers never repeat
 * a review whose connection was closed.
 */
function arrivalsRead(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Compares in place: parsing the path out of the URL and looking it up costs 4 µs of the 50 that a request takes. */
function entryOf(url = ''): EntryKey | undefined {
  for (const [path, entry] of PATHS) {
    if (url.startsWith(path) && (url.length === path.length || url[path.length] === '?')) return entry;
  }
  return undefined;
}

function isJson({ headers }: IncomingMessage): boolean {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return false;
  const type = headers['content-type'];
  return type === 'application/json' || /^application\/json\s*(;|$)/i.test(type ?? '');
}
