import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

import { faultOfCertificates, normalizedBundle } from '../../core/pem.ts';
import type { Clock } from '../../kube/clock.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { PassLoop } from '../../kube/pass-loop.ts';
import { isNamed } from './names.ts';
import { readTokens, Tokens } from './tokens.ts';

export interface CallersOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
  /** File (PEM) of the authorities that sign the certificates of API servers; '': they need none. */
  readonly webhookClientCa: string;
  /** Common names or DNS names of such certificates; none: any certificate of the authorities will do. */
  readonly names: readonly string[];
  /** File of the tokens that API servers send; '': they need none. */
  readonly webhookTokenFile: string;
  /** How long a handshake may take that began before other authorities were set, in milliseconds. */
  readonly handshakeMs: number;
}

/**
 * Why a request is not answered:
 * - Certificate: its connection has no certificate of the authorities
 * - Name: it has, but of nobody who was named
 * - Token: it has no accepted token
 * - Reconnect: its connection was verified by other authorities than those of now, or its certificate has expired
 */
export type Stranger = 'Certificate' | 'Name' | 'Token' | 'Reconnect';

interface Verified {
  /** By Clock.elapsed(). */
  readonly at: number;
  readonly why: 'Certificate' | 'Name' | undefined;
  /** Milliseconds since the epoch: until when the certificate is valid. */
  readonly until: number;
}

// The kubelet brings a changed Secret into a pod within a minute or two.
const EVERY_MS = 5_000;

/** Knows API servers by their certificates or tokens, which it reads from files again and again. */
export class Callers {
  readonly #options: CallersOptions;
  readonly #loop: PassLoop;
  readonly #listeners = new Listeners();
  readonly #verified = new WeakMap<TLSSocket, Verified>();
  #authorities = '';
  /** Since when there have been these, by Clock.elapsed(). */
  #since = -Infinity;
  #tokenText = '';
  #tokens = new Tokens([]);
  /** By connection, the header that was accepted last. */
  #accepted = new WeakMap<object, string | undefined>();

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#loop = new PassLoop({
      ...options,
      what: 'reading the files of --webhook-client-ca and --webhook-token-file',
      pass: async () => {
        await this.#read();
        return undefined;
      },
      everyMs: EVERY_MS,
      gapMs: 0,
    });
  }

  /** Reads the files. Rejects with the system's error if one cannot be read, or with one that says what is wrong with it. */
  async start(): Promise<void> {
    await this.#read();
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** Whether API servers need certificates. */
  get needCertificates(): boolean {
    return this.#options.webhookClientCa !== '';
  }

  /** PEM of the authorities that sign the certificates of API servers. */
  get authorities(): string {
    return this.#authorities;
  }

  /** Calls `listener` when there are other authorities; returns a function that removes it. */
  onAuthorities(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Returns why the request is not answered; undefined: it comes from an API server. Looks at no body. */
  refusalOf({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): Stranger | undefined {
    const why = this.needCertificates ? this.#refusalOfCertificate(socket) : undefined;
    if (why !== undefined || this.#options.webhookTokenFile === '') return why;
    return this.#hasToken(socket, headers.authorization) ? undefined : 'Token';
  }

  /** An API server sends the same token with each review: a digest of it takes longer than all that comes before the body. */
  #hasToken(socket: object, header: string | undefined): boolean {
    if (header !== undefined && this.#accepted.get(socket) === header) return true;
    if (!this.#tokens.has(header)) return false;
    this.#accepted.set(socket, header);
    return true;
  }

  #refusalOfCertificate(socket: unknown): Stranger | undefined {
    if (!(socket instanceof TLSSocket)) return 'Certificate';
    const { clock, handshakeMs } = this.#options;
    const { at, why, until } = this.#verify(socket);
    const now = clock.elapsed();
    // a handshake that had begun before the change was verified by the authorities of before, also if it ended later
    const isOld = at < this.#since || (at < this.#since + handshakeMs && now >= this.#since + handshakeMs);
    return isOld || clock.now() >= until ? 'Reconnect' : why;
  }

  /** Call it when the handshake is over; what is verified later counts as verified then. */
  verify(socket: TLSSocket): void {
    if (this.needCertificates) this.#verify(socket);
  }

  #verify(socket: TLSSocket): Verified {
    const known = this.#verified.get(socket);
    if (known !== undefined) return known;
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    const verified = {
      at: this.#options.clock.elapsed(),
      why: this.#whyNot(certificate),
      until: certificate === undefined ? Infinity : Date.parse(certificate.validTo),
    };
    this.#verified.set(socket, verified);
    return verified;
  }

  #whyNot(certificate: X509Certificate | undefined): 'Certificate' | 'Name' | undefined {
    if (certificate === undefined) return 'Certificate';
    return isNamed(certificate, this.#options.names) ? undefined : 'Name';
  }

  /** Takes what the files hold; what cannot be read leaves everything as it was. */
  async #read(): Promise<void> {
    const { clock, logger, webhookClientCa, webhookTokenFile } = this.#options;
    const [bundle, tokenText] = await Promise.all([textOf(webhookClientCa), textOf(webhookTokenFile)]);
    const fault = webhookClientCa === '' ? undefined : faultOfCertificates(bundle);
    if (fault !== undefined) throw new Error(`the file of --webhook-client-ca, ${webhookClientCa}: ${fault}`);
    const tokens = webhookTokenFile === '' ? { tokens: [] } : readTokens(tokenText);
    if ('fault' in tokens) throw new Error(`the file of --webhook-token-file, ${webhookTokenFile}: ${tokens.fault}`);
    const authorities = webhookClientCa === '' ? '' : normalizedBundle(bundle);
    if (tokenText !== this.#tokenText) {
      this.#tokenText = tokenText;
      this.#tokens = new Tokens(tokens.tokens);
      this.#accepted = new WeakMap();
      logger.info({ tokens: tokens.tokens.length }, 'tokens of API servers read');
    }
    if (authorities === this.#authorities) return;
    this.#authorities = authorities;
    this.#since = clock.elapsed();
    logger.info('authorities of API servers read');
    this.#listeners.notify();
  }
}

function textOf(file: string): Promise<string> {
  return file === '' ? Promise.resolve('') : readFile(file, 'utf8');
}
