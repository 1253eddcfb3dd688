/** A webhook server on loopback, and clients of it: well-behaved ones and others. */
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';

import type { MutationResult } from '../../core/injection/outcome.ts';
import { systemClock } from '../../kube/clock.ts';
import { createAdmission } from '../../webhook/admission.ts';
import type { Admission } from '../../webhook/admission.ts';
import { createAuthority } from '../../webhook/certificates/authority.ts';
import type { Authority } from '../../webhook/certificates/authority.ts';
import type { ServingPair } from '../../webhook/certificates/inspect.ts';
import { issueLeaf } from '../../webhook/certificates/leaf.ts';
import { createWebhookMetrics } from '../../webhook/metrics.ts';
import { createProbeAnswer } from '../../webhook/probe/answer.ts';
import { WebhookServer } from '../../webhook/server.ts';
import type { Callers } from '../../webhook/callers/callers.ts';
import type { Limits } from '../../webhook/server.ts';
import { loopback } from './loopback.ts';
import { reviewBody } from './review-body.ts';
import { testLog } from './test-log.ts';
import { unguardedPaths } from './unguarded-paths.ts';

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export const POST = 'POST /mutate/fail HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

/** Returns the body of a review. */
export function review(object?: object): Buffer {
  return reviewBody(object && { object });
}

export class WebhookScene {
  readonly authority: Authority;
  readonly pair: ServingPair;
  readonly metrics = createWebhookMetrics();
  readonly log = testLog();
  /** Who was turned away, as `reason address`. */
  readonly turnedAway: string[] = [];
  readonly paths = unguardedPaths();
  readonly server: WebhookServer;
  readonly agent: Agent;
  port = 0;

  /** Resolves with a scene whose server is not started yet. */
  static async create(limits: Partial<Limits> = {}, admission?: Admission, callers?: Callers): Promise<WebhookScene> {
    const authority = await createAuthority(Date.now());
    const pair = await issueLeaf(authority, ['127.0.0.1'], Date.now());
    return new WebhookScene(authority, pair, limits, admission, callers);
  }

  private constructor(
    authority: Authority,
    pair: ServingPair,
    limits: Partial<Limits>,
    admission?: Admission,
    callers?: Callers,
  ) {
    this.authority = authority;
    this.pair = pair;
    this.agent = new Agent({ keepAlive: true, ca: authority.certificate });
    const { metrics } = this;
    const { logger } = this.log;
    const mutate = (): MutationResult => ({
      outcome: 'NoPolicy',
      patch: [],
      wrapped: [],
      skipped: [],
      warnings: [],
      audit: {},
    });
    const rules = { version: 1, rulesFor: () => [], unusableFor: () => [] };
    this.server = new WebhookServer({
      admission: admission ?? createAdmission({ rules: () => rules, mutate, metrics, logger }),
      probe: createProbeAnswer('replica-1'),
      place: loopback(),
      certificate: () => pair,
      metrics,
      paths: this.paths,
      ...(callers && { callers }),
      turnedAway: { note: (reason, address) => this.turnedAway.push(`${reason} ${address}`) },
      logger,
      clock: systemClock,
      limits,
    });
  }

  async start(): Promise<this> {
    ({ port: this.port } = await this.server.start());
    return this;
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    await this.server.drain({ answerMs: 0, refuseMs: 0, cutMs: 0 });
  }

  /** Resolves with the text of the metrics. */
  page(): Promise<string> {
    return this.metrics.register.metrics();
  }

  /** Sends a body, in one or in several chunks, over a connection that stays open. */
  post(
    body: Buffer | readonly Buffer[],
    { path = '/mutate/ignore?timeout=5s', method = 'POST', headers = {}, agent = this.agent } = {},
  ): Promise<Reply> {
    const { port } = this;
    return new Promise((resolve, reject) => {
      const chunked = Array.isArray(body);
      const length = chunked ? {} : { 'Content-Length': String((body as Buffer).length) };
      const options = { host: '127.0.0.1', port, path, method, agent };
      const outgoing = httpsRequest(
        { ...options, headers: { 'Content-Type': 'application/json', ...length, ...headers } },
        (incoming) => {
          const parts: Buffer[] = [];
          incoming.on('data', (part: Buffer) => parts.push(part));
          incoming.on('error', reject);
          incoming.on('end', () =>
            resolve({
              status: incoming.statusCode ?? 0,
              text: Buffer.concat(parts).toString(),
              headers: incoming.headers,
            }),
          );
        },
      );
      outgoing.on('error', reject);
      for (const part of chunked ? (body as readonly Buffer[]) : [body as Buffer]) outgoing.write(part);
      outgoing.end();
    });
  }

  /** A connection of its own, for what no well-behaved client does. */
  async raw(head: string, localAddress = '127.0.0.1'): Promise<TLSSocket> {
    const options = { host: '127.0.0.1', port: this.port, ca: this.authority.certificate, localAddress };
    const socket = connect(options as ConnectionOptions);
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    socket.write(head);
    return socket;
  }
}

/** Asks every 5 ms, up to a thousand times. */
export async function becomes(ask: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (await ask()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it never became true');
}
