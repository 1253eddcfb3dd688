import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../kube/clock.ts';
import { atMost } from '../kube/clock.ts';
import { ConnectionBounds } from '../kube/connection-bounds.ts';
import type { ConnectionLimits } from '../kube/connection-bounds.ts';
import { listen } from '../kube/listen.ts';
import type { Place } from '../kube/listen.ts';
import type { Logger } from '../kube/log.ts';
import type { TurnedAwayLog } from '../kube/turned-away.ts';
import { plain } from './admission.ts';
import type { Admission, Answer } from './admission.ts';
import { BodyRoom } from './body-room.ts';
import type { Callers } from './callers/callers.ts';
import type { ServingPair } from './certificates/inspect.ts';
import type { WebhookMetrics } from './metrics.ts';
import type { AcceptedPaths } from './paths/accepted.ts';
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
  /** Knows the paths that API servers call. */
  readonly paths: Pick<AcceptedPaths, 'entryOf' | 'isShaped'>;
  /** Knows API servers by certificates or tokens; left out: they need none. */
  readonly callers?: Pick<Callers, 'refusalOf' | 'verify' | 'authorities' | 'needCertificates' | 'onAuthorities'>;
  /** Told of clients that get nothing from this server: connections, and requests that API servers do not send. */
  readonly turnedAway: Pick<TurnedAwayLog, 'note'>;
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
  readonly connections: ConnectionLimits;
  /**
   * Milliseconds from the start of a handshake to its end; from the first byte of a request to the end of its headers;
   * and from there to the end of its body. What comes slowly is not given more.
   */
  readonly handshakeMs: number;
  readonly headersMs: number;
  readonly requestMs: number;
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
  connections: {
    // about 50 kB each with TLS: 50 MiB if somebody opens them all
    total: 1024,
    // An API server has one for each review that is under way, at most 200 by default (max-mutating-requests-inflight),
    // and keeps 25 that are idle. Where it comes through a proxy or a konnectivity agent, several share an address: more
    // than the reviews in progress, so that those beyond are asked to come again instead of being cut off.
    perPeer: 768,
    // A handshake takes about 1 ms of the processor: 20 per second are 2 % of it for each address that comes to nothing.
    fresh: { burst: 512, perSecond: 20 },
  },
  // No API server waits longer than timeoutSeconds, which is 5.
  handshakeMs: 5_000,
  headersMs: 5_000,
  requestMs: 10_000,
  lingerMs: 2000,
};

// Go's transport, which the API server uses, closes connections that were idle for 90 s. This side must not close
// first, or a review could be sent into a connection that is being closed (Node's own default is 5 s).
const KEEP_ALIVE_MS = 95_000;
// A client that does not read its answer is let go after as long without a byte; above the time for idle connections.
const SILENT_MS = 100_000;
// how late the deadlines of headers and bodies may take effect; Node's default is 30 s
const TIMEOUT_CHECK_MS = 1_000;

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
  readonly #bounds: ConnectionBounds;
  readonly #room: BodyRoom;
  readonly #bodyLimits: BodyLimits;
  readonly #refusals: ReturnType<typeof refusals>;
  #pair: ServingPair | undefined;
  #listening = false;
  #draining = false;
  #refusing = false;

  constructor(options: WebhookServerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    const { bodyBytes, inFlight, bufferedBytes, connections, handshakeMs, headersMs, requestMs } = this.#limits;
    this.#room = new BodyRoom({ bodies: inFlight, bytes: bufferedBytes });
    this.#bodyLimits = { bytes: bodyBytes, room: this.#room };
    this.#refusals = refusals(this.#limits);
    this.#server = createServer(
      {
        minVersion: 'TLSv1.2',
        // anybody who has no certificate is told so in an answer
        requestCert: options.callers?.needCertificates === true,
        rejectUnauthorized: false,
        handshakeTimeout: handshakeMs,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, headersMs),
      },
      (request, response) => this.#serve(request, response),
    );
    this.#server.timeout = SILENT_MS;
    const { turnedAway } = options;
    this.#bounds = new ConnectionBounds({
      clock: options.clock,
      limits: connections,
      onTurnedAway: (why, address) => turnedAway.note(why, address),
    });
    this.#bounds.guard(this.#server);
    options.metrics.watchInFlight(() => this.#room.bodies);
    options.metrics.watchConnections(() => this.#bounds.count);
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      options.metrics.tlsHandshake();
      options.callers?.verify(socket);
    });
    // no session of another context is resumed, and so none that other authorities have verified
    options.callers?.onAuthorities(() => this.#setContext());
    this.#server.on('tlsClientError', () => {
      options.metrics.tlsError();
      // its socket has lost the address by now
      turnedAway.note('handshake', '');
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#cutOff(error, socket));
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
  setCertificate(pair: ServingPair): void {
    this.#pair = pair;
    this.#setContext();
  }

  #setContext(): void {
    if (this.#pair === undefined) return;
    const { cert, key } = this.#pair;
    const { callers } = this.#options;
    const authorities = callers?.needCertificates === true ? { ca: callers.authorities } : {};
    this.#server.setSecureContext({ cert, key, minVersion: 'TLSv1.2', ...authorities });
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
    const address = this.#bounds.addressOf(request.socket);
    const stranger = this.#options.callers?.refusalOf(request);
    if (stranger !== undefined) {
      if (stranger === 'Reconnect') {
        this.#askAgain(request, response, this.#refusals.reconnect);
        return;
      }
      this.#options.turnedAway.note(STRANGERS[stranger], address);
      this.#turnAway(response, this.#refusals[stranger]);
      return;
    }
    const entry = this.#options.paths.entryOf(request.url);
    if (entry === undefined) {
      // with a token that this replica may not have learned yet, or whose time is over: another one may know better
      this.#options.turnedAway.note('path', address);
      if (this.#options.paths.isShaped(request.url)) this.#askAgain(request, response, this.#refusals.unknownToken);
      else this.#turnAway(response, this.#refusals.notFound);
      return;
    }
    this.#bounds.prove(request.socket);
    const refusal = this.#refusalFor(request);
    receiveBody(request, address, this.#bodyLimits, refusal !== undefined, (received) => {
      if (received === 'gone') return;
      if ('body' in received) {
        const { admission, probe } = this.#options;
        const { traceparent } = request.headers;
        const answer = entry === 'probe' ? probe(received.body) : admission(entry, received.body, traceparent);
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

  /**
   * Answers a client that is no API server, and closes the connection. Nothing of the body is read but what has come with the
   * headers, so a client that sends much may lose the answer.
   */
  #turnAway(response: ServerResponse, { status, contentType, body, headers }: Answer): void {
    const length = Buffer.byteLength(body);
    response.writeHead(status, {
      ...headers,
      ...{ 'Content-Type': contentType, 'Content-Length': length, Connection: 'close' },
    });
    response.end(body);
  }

  /**
   * The same for what may be an API server: it sends its review to the end, unless that is large and no API server is known
   * at its address. Who loses the answer does not come again.
   */
  #askAgain(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    const isKnown = this.#bounds.isKnown(request.socket);
    const limits = { ...this.#bodyLimits, bytes: isKnown ? this.#limits.bodyBytes : ORDINARY_BYTES };
    receiveBody(request, this.#bounds.addressOf(request.socket), limits, true, (received) => {
      if (received !== 'gone') this.#turnAway(response, answer);
    });
  }

  /** Closes a connection on which something else than HTTP came, or nothing in time. */
  #cutOff({ code }: NodeJS.ErrnoException, socket: Duplex): void {
    socket.destroy();
    // a failed handshake comes here too, and was noted
    if (!this.#bounds.has(socket) || code === 'ECONNRESET' || code === 'EPIPE') return;
    const isLate = code === 'ERR_HTTP_REQUEST_TIMEOUT';
    // Go's client opens connections in advance, some of which it never uses
    if (isLate && this.#bounds.isKnown(socket)) return;
    this.#options.turnedAway.note(isLate ? 'late' : 'malformed', this.#bounds.addressOf(socket));
  }

  /** Returns why to reject a request before its body is read. */
  #refusalFor(request: IncomingMessage): Answer | undefined {
    if (request.method !== 'POST') return this.#refusals.notPost;
    if (!isJson(request)) return this.#refusals.notJson;
    if (this.#refusing) return this.#refusals.stopping;
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

// API servers send a call again that was answered 429 or 5xx with this header: up to ten times within timeoutSeconds,
// after so many seconds (measured on 1.37: nine answers 503 with 0, then 200, took 57 ms). They never repeat one whose
// connection was closed. The connection closes, so that the next attempt may reach another replica.
const AT_ONCE = { 'Retry-After': '0', Connection: 'close' } as const;

/** Why clients are turned away, as it is counted. */
const STRANGERS = { Certificate: 'certificate', Name: 'name', Token: 'token' } as const;

// Most reviews have 8 kB; a workload with large annotations, and what it was before, has about as much as this.
const ORDINARY_BYTES = 512 * 1024;

/** Answers to requests that never become reviews. */
function refusals({ bodyBytes }: Limits) {
  return {
    notFound: plain(404, 'not found'),
    Certificate: plain(401, 'a client certificate is needed that an authority in --webhook-client-ca has signed'),
    Name: plain(403, 'the client certificate has none of the names in --webhook-client-names'),
    Token: plain(401, 'a token is needed that --webhook-token-file has', { 'WWW-Authenticate': 'Bearer' }),
    reconnect: plain(503, 'the authorities of client certificates have changed', AT_ONCE),
    unknownToken: plain(503, 'this replica does not know the token in the path', { 'Retry-After': '1' }),
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

function isJson({ headers }: IncomingMessage): boolean {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') return false;
  const type = headers['content-type'];
  return type === 'application/json' || /^application\/json\s*(;|$)/i.test(type ?? '');
}
