import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry as Register } from 'prom-client';
import { listen } from '../kube/listen.ts';
import type { Place } from '../kube/listen.ts';
import type { Logger } from '../kube/log.ts';

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

export interface HealthServerOptions {
  readonly place: Place;
  readonly checks: readonly ReadinessCheck[];
  readonly register: Register;
  readonly logger: Logger;
}

/**
 * Probes and metrics, on a separate port: plain HTTP for the kubelet and Prometheus, unaffected by a flood of reviews.
 * /livez only says that the event loop runs: a restart fixes neither Vault nor an API server.
 */
export class HealthServer {
  readonly #server: Server;
  readonly #options: HealthServerOptions;

  constructor(options: HealthServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      void this.#answer(request.method, request.url?.split('?', 1)[0]).then(({ status, body, type = TEXT }) => {
        response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
        response.end(request.method === 'HEAD' ? undefined : body);
      });
    });
  }

  /** Returns every check and its result, one per line, like the API server's /readyz. */
  readiness(): { readonly ready: boolean; readonly text: string } {
    let ready = true;
    let text = '';
    for (const { name, check } of this.#options.checks) {
      const problem = check();
      if (problem !== undefined) ready = false;
      text += problem === undefined ? `[+] ${name} ok\n` : `[-] ${name}: ${problem}\n`;
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

  async #answer(method: string | undefined, path: string | undefined): Promise<HealthAnswer> {
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
    try {
      return { status: 200, body: await register.metrics(), type: register.contentType };
    } catch (error) {
      logger.error({ error: String(error) }, 'metrics could not be collected');
      return { status: 500, body: 'metrics could not be collected\n' };
    }
  }
}
