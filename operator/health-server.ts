import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry as Register } from 'prom-client';
import type { Clock } from '../kube/clock.ts';
import { ConnectionBounds } from '../kube/connection-bounds.ts';
import type { ConnectionLimits } from '../kube/connection-bounds.ts';
import { listen } from '../kube/listen.ts';
import type { Place } from '../kube/listen.ts';
import type { Logger } from '../kube/log.ts';
import { TokenBucket } from '../kube/token-bucket.ts';
import type { TurnedAwayLog } from '../kube/turned-away.ts';
import { shownText } from '../core/shown.ts';

/** One condition that must hold before reviews may be sent here. */
export interface ReadinessCheck {
  readonly name: string;
  /** Returns undefined if it holds, else why not, in a few words. */
  readonly check: () => string | undefined;
}

interface HealthAnswer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

const TEXT = 'text/plain; charset=utf-8';
// It may hold an error of another server.
const LONGEST_PROBLEM = 500;

export interface HealthServerOptions {
  readonly place: Place;
  readonly checks: readonly ReadinessCheck[];
  readonly register: Register;
  readonly turnedAway: Pick<TurnedAwayLog, 'note'>;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly logger: Logger;
  readonly limits?: Partial<HealthLimits>;
}

export interface HealthLimits {
  readonly connections: ConnectionLimits;
  /** Milliseconds from the first byte of a request to its last; and until a client that is silent is let go. */
  readonly requestMs: number;
  /** Metrics are collected so often at once, and then once in so many milliseconds; else the last page is served. */
  readonly collections: { readonly burst: number; readonly everyMs: number };
}

export const HEALTH_LIMITS: HealthLimits = {
  connections: {
    // The kubelet opens one for each probe, from the address of its node, and a Prometheus keeps one.
    total: 64,
    perPeer: 16,
    // A port without TLS costs so little that a kubelet with many retries must not be counted out.
    fresh: { burst: 64, perSecond: 20 },
  },
  requestMs: 5_000,
  // Collecting takes some milliseconds, in which no review is answered; scrapes come every few seconds.
  collections: { burst: 20, everyMs: 500 },
};

// a scrape with its headers is shorter than 1 kB
const HEADER_BYTES = 8_192;

/**
 * Probes and metrics, on a separate port: plain HTTP for the kubelet and Prometheus, unaffected by a flood of reviews.
 * /livez only says that the event loop runs: a restart fixes neither Vault nor an API server.
 */
export class HealthServer {
  readonly #server: Server;
  readonly #options: HealthServerOptions;
  readonly #collections: TokenBucket;
  /** The last metrics, or those that are being collected. */
  #page: Promise<string> | undefined;

  constructor(options: HealthServerOptions) {
    this.#options = options;
    const { clock, turnedAway } = options;
    const { connections, requestMs, collections } = { ...HEALTH_LIMITS, ...options.limits };
    this.#collections = new TokenBucket({ clock, ...collections });
    const timeouts = {
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: requestMs / 5,
    };
    this.#server = createServer({ ...timeouts, maxHeaderSize: HEADER_BYTES }, (request, response) => {
      void this.#answer(request).then(({ status, body, type = TEXT }) => {
        // whatever a client sends with its question is not read
        const connection = hasBody(request) ? { Connection: 'close' } : {};
        response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...connection });
        response.end(request.method === 'HEAD' ? undefined : body);
      });
    });
    this.#server.timeout = 2 * requestMs;
    const bounds = new ConnectionBounds({
      clock,
      limits: connections,
      onTurnedAway: (why, address) => turnedAway.note(why, address),
    });
    bounds.guard(this.#server);
    this.#server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
      socket.destroy();
      if (code === 'ECONNRESET' || code === 'EPIPE') return;
      turnedAway.note(code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'late' : 'malformed', bounds.addressOf(socket));
    });
  }

  /** Returns every check and its result, one per line, like the API server's /readyz. */
  readiness(): { readonly ready: boolean; readonly text: string } {
    let ready = true;
    let text = '';
    for (const { name, check } of this.#options.checks) {
      const problem = check();
      if (problem !== undefined) ready = false;
      text += problem === undefined ? `[+] ${name} ok\n` : `[-] ${name}: ${shownText(problem, LONGEST_PROBLEM)}\n`;
    }
    return { ready, text: `${text}${ready ? 'ready' : 'not ready'}\n` };
  }

  /** Resolves with the address when requests are answered. Rejects with ListenError if it cannot listen. */
  async start(): Promise<AddressInfo> {
    const { place, logger } = this.#options;
    const address = await listen(this.#server, place);
    this.#server.on('error', (error) => logger.error({ error: error.message }, 'health server'));
    return address;
  }

  /** Closes open connections: probes are retried, and nothing else connects here. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer({ method, url }: IncomingMessage): Promise<HealthAnswer> {
    const path = url?.split('?', 1)[0];
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'only GET\n' };
    if (path === '/livez') return { status: 200, body: 'ok\n' };
    if (path === '/readyz') {
      const { ready, text } = this.readiness();
      return { status: ready ? 200 : 503, body: text };
    }
    if (path === '/metrics') return await this.#metrics();
    return { status: 404, body: 'not found: /livez, /readyz, /metrics\n' };
  }

  async #metrics(): Promise<HealthAnswer> {
    const { register, logger } = this.#options;
    if (this.#page === undefined || this.#collections.take()) this.#page = register.metrics();
    try {
      return { status: 200, body: await this.#page, type: register.contentType };
    } catch (error) {
      this.#page = undefined;
      logger.error({ error: String(error) }, 'metrics could not be collected');
      return { status: 500, body: 'metrics could not be collected\n' };
    }
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
