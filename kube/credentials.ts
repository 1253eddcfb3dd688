/** Credentials that change while the process runs. They replace client-node's, which a refused token does not renew. */
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';

import type { KubeConfig, User } from '@kubernetes/client-node';

import type { Clock } from './clock.ts';
import type { ExecCredential, ExecPlugin } from './exec-plugin.ts';
import { runExecPlugin } from './exec-plugin.ts';

type Authenticator = Parameters<KubeConfig['addAuthenticator']>[0];

/** A source of credentials for client-node's KubeConfig, which calls applyAuthentication() before each request. */
export interface Renewable extends Authenticator {
  /**
   * Call it when a server has refused (401) what applyAuthentication() wrote into `used`. Returns true if the next
   * applyAuthentication() may write something else: then the request is worth one more attempt.
   */
  refused(used: RequestOptions): boolean;
}

/** Our own names: client-node's authenticators take no user with them. */
const EXEC = 'exec-plugin';
const FILE = 'token-file';

/** Returns the `authProvider` of a user whose credentials an exec plugin prints. */
export function execProvider(plugin: ExecPlugin): unknown {
  return { name: EXEC, config: { plugin } };
}

/** Returns the `authProvider` of a user whose token is in a file. */
export function fileProvider(path: string): unknown {
  return { name: FILE, config: { path } };
}

interface Provider {
  readonly name?: string;
  readonly config?: { readonly plugin?: ExecPlugin; readonly path?: string };
}

function providerOf(user: User): Provider {
  return (user.authProvider ?? {}) as Provider;
}

// A server that refuses every token, or a clock far from the plugin's, must not have it run for each request.
const SHORTEST_LIFE_MS = 10_000;
// Requests take a moment to arrive.
const EARLY_MS = 10_000;

interface Held {
  readonly credential: ExecCredential;
  /** By Clock.elapsed(). */
  readonly since: number;
}

export interface ExecCredentialsOptions {
  readonly clock: Clock;
  /** Returns what plugins are told about the cluster if they ask for it. */
  readonly cluster: () => Readonly<Record<string, unknown>>;
}

/**
 * The credential of an exec plugin. The plugin runs once for all who wait at the same time, and again when its
 * credential expires or a server has refused it; at most once in ten seconds if it works.
 */
export class ExecCredentials implements Renewable {
  readonly #options: ExecCredentialsOptions;
  #stopped = new AbortController();
  #held: Held | undefined;
  #run: Promise<Held> | undefined;

  constructor(options: ExecCredentialsOptions) {
    this.#options = options;
  }

  isAuthProvider(user: User): boolean {
    return providerOf(user).name === EXEC;
  }

  /** Rejects with ExecPluginError. */
  async applyAuthentication(user: User, options: RequestOptions): Promise<void> {
    const plugin = providerOf(user).config?.plugin;
    if (plugin === undefined) return;
    const held = this.#held;
    const { credential } = held !== undefined && !this.#isOver(held) ? held : await this.#renew(plugin);
    const { token, clientCertificateData, clientKeyData } = credential;
    if (token !== undefined) authorize(options, token);
    if (clientCertificateData !== undefined)
      Object.assign(options, { cert: clientCertificateData, key: clientKeyData });
  }

  refused(used: RequestOptions): boolean {
    const held = this.#held;
    // another request has had it renewed, or does so now
    if (held === undefined || !isOf(held.credential, used)) return true;
    if (this.#options.clock.elapsed() - held.since < SHORTEST_LIFE_MS) return false;
    this.#held = undefined;
    return true;
  }

  /** Kills a plugin that runs. */
  stop(): void {
    this.#stopped.abort();
    this.#stopped = new AbortController();
  }

  #isOver({ credential, since }: Held): boolean {
    const { clock } = this.#options;
    if (credential.expiresAt === undefined || clock.elapsed() - since < SHORTEST_LIFE_MS) return false;
    return clock.now() >= credential.expiresAt - EARLY_MS;
  }

  #renew(plugin: ExecPlugin): Promise<Held> {
    const { cluster, clock } = this.#options;
    this.#run ??= runExecPlugin(plugin, { cluster: cluster(), signal: this.#stopped.signal })
      .then((credential) => (this.#held = { credential, since: clock.elapsed() }))
      .finally(() => (this.#run = undefined));
    return this.#run;
  }
}

function authorize(options: RequestOptions, token: string): void {
  options.headers = Object.assign(options.headers ?? {}, { Authorization: `Bearer ${token}` });
}

function isOf({ token, clientCertificateData }: ExecCredential, used: RequestOptions): boolean {
  return token === undefined ? used.cert === clientCertificateData : tokenIn(used) === token;
}

function tokenIn({ headers }: RequestOptions): string | undefined {
  const value = (headers as Readonly<Record<string, unknown>> | undefined)?.Authorization;
  return typeof value === 'string' ? value.replace(/^Bearer /, '') : undefined;
}

// The kubelet replaces a ServiceAccount's token when a fifth of its life is left, so it need not be read each time.
const FILE_FRESH_MS = 60_000;

interface FileRead {
  readonly path: string;
  readonly token: string;
  /** By Clock.elapsed(). */
  readonly at: number;
}

/** A token in a file that somebody replaces, such as that of a ServiceAccount: read every minute, and when refused. */
export class TokenFile implements Renewable {
  readonly #clock: Pick<Clock, 'elapsed'>;
  #read: FileRead | undefined;

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock;
  }

  isAuthProvider(user: User): boolean {
    return providerOf(user).name === FILE;
  }

  /** Rejects with the system's error if the file cannot be read. */
  // eslint-disable-next-line @typescript-eslint/require-await -- client-node waits for it
  async applyAuthentication(user: User, options: RequestOptions): Promise<void> {
    const path = providerOf(user).config?.path;
    if (path === undefined) return;
    const read = this.#read;
    const isFresh = read?.path === path && this.#clock.elapsed() - read.at < FILE_FRESH_MS;
    const { token } = isFresh ? read : this.#readAgain(path);
    if (token !== '') authorize(options, token);
  }

  refused(used: RequestOptions): boolean {
    const path = this.#read?.path;
    if (path === undefined) return false;
    this.#read = undefined;
    try {
      return this.#readAgain(path).token !== tokenIn(used);
    } catch {
      // the next request says why it has no token
      return true;
    }
  }

  #readAgain(path: string): FileRead {
    // Token files often end with a newline, which a header must not contain.
    const token = readFileSync(path, 'utf8').trim();
    this.#read = { path, token, at: this.#clock.elapsed() };
    return this.#read;
  }
}
