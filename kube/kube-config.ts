import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { RequestOptions } from 'node:https';

import type { DispatcherOptions, RequestContext, User } from '@kubernetes/client-node';
import { KubeConfig } from '@kubernetes/client-node';
import type { buildConnector, Dispatcher } from 'undici';
import { Agent, ProxyAgent } from 'undici';
import { parse } from 'yaml';

import { toBase64 } from '../core/base64.ts';
import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { Renewable } from './credentials.ts';
import { ExecCredentials, execProvider, fileProvider, TokenFile } from './credentials.ts';
import type { ExecPlugin } from './exec-plugin.ts';

/** A kubeconfig that cannot be used. `message` says which file and what is wrong with it, never what is in it. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError';
}

export interface KubeConfigOptions {
  /** A kubeconfig file; if '' or undefined: KUBECONFIG, then ~/.kube/config, then the pod's ServiceAccount. */
  readonly file?: string | undefined;
  /** A context in it; if '' or undefined, its current one. */
  readonly context?: string | undefined;
  /** For when credentials expire. */
  readonly clock?: Clock;
}

/** What one request needs: the server, the credentials, and the pool of connections to send it through. */
export interface Connection {
  /** Without a slash at the end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
  /**
   * Call it when the server answered 401. Returns true if the next connection() may have other credentials, so that the
   * request is worth one more attempt.
   */
  refused(): boolean;
}

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

// The same for every kind of pool. HTTP/1.1 only: over HTTP/2 a watch shares one connection, and its window, with all
// other calls. Idle connections live less than the 90 s after which Go in the API server closes them.
const POOL = { allowH2: false, keepAliveTimeout: 60_000, keepAliveMaxTimeout: 60_000 };
const CONNECT = { timeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 };

const NO_SOCKS = 'a SOCKS proxy-url is not supported: use an HTTP proxy, or a tunnel on loopback';

/**
 * client-node's KubeConfig with one pool of connections. The stock one creates an undici Agent, and so a TLS handshake,
 * for every request; this one creates a new pool only when the CA, the client certificate or the proxy has changed. Its
 * exec plugins run once for all requests that wait, and a token that the server refuses is renewed.
 */
export class PooledKubeConfig extends KubeConfig {
  readonly #exec: ExecCredentials;
  readonly #renewable: readonly Renewable[];
  #pool: { readonly fingerprint: string; readonly dispatcher: Dispatcher } | undefined;

  constructor({ clock = systemClock }: { readonly clock?: Clock } = {}) {
    super();
    this.#exec = new ExecCredentials({ clock, cluster: () => this.#clusterInfo() });
    this.#renewable = [this.#exec, new TokenFile(clock)];
    for (const renewable of this.#renewable) this.addAuthenticator(renewable);
  }

  /**
   * Resolves with the credentials (rereads token files, runs exec plugins when their credential has expired) and the
   * pool for the next request. Rejects with KubeConfigError, ExecPluginError, or the system's error about a file.
   */
  async connection(): Promise<Connection> {
    const cluster = this.getCurrentCluster();
    if (cluster === null) throw new KubeConfigError('the kubeconfig has no cluster for its current context');
    const options: RequestOptions = {};
    await this.applyToHTTPSOptions(options);
    const user = this.getCurrentUser();
    const renewable = user === null ? undefined : this.#renewable.find((each) => each.isAuthProvider(user));
    return {
      server: cluster.server.replace(/\/+$/, ''),
      headers: headersOf(options),
      dispatcher: this.#poolFor(options),
      refused: () => renewable?.refused(options) ?? false,
    };
  }

  /** For client-node's typed APIs, which this project does not use itself. */
  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    const { headers, dispatcher } = await this.connection();
    for (const [name, value] of Object.entries(headers)) context.setHeaderParam(name, value);
    context.setDispatcher(dispatcher);
  }

  /** Closes all connections, and kills an exec plugin that runs. */
  async close(): Promise<void> {
    this.#exec.stop();
    await this.#pool?.dispatcher.destroy();
    this.#pool = undefined;
  }

  /** https://kubernetes.io/docs/reference/config-api/client-authentication.v1/#client-authentication-k8s-io-v1-Cluster */
  #clusterInfo(): Readonly<Record<string, unknown>> {
    const cluster = this.getCurrentCluster();
    const { server, tlsServerName, skipTLSVerify, caFile, caData, proxyUrl } = cluster ?? {};
    return {
      server,
      'tls-server-name': tlsServerName,
      'insecure-skip-tls-verify': skipTLSVerify,
      'certificate-authority-data': caFile === undefined ? caData : readFileSync(caFile).toString('base64'),
      'proxy-url': proxyUrl,
    };
  }

  #poolFor(options: RequestOptions): Dispatcher {
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
    const wanted = this.createDispatcherOptions(this.getCurrentCluster(), tls);
    const fingerprint = createHash('sha256').update(JSON.stringify(wanted)).digest('hex');
    if (this.#pool?.fingerprint === fingerprint) return this.#pool.dispatcher;
    // Requests and watches on the old pool end by themselves.
    void this.#pool?.dispatcher.close();
    this.#pool = { fingerprint, dispatcher: newPool(wanted) };
    return this.#pool.dispatcher;
  }
}

// The same options as in node:tls; only undici's types do not allow undefined properties.
type TlsOptions = buildConnector.BuildOptions;

function newPool(wanted: DispatcherOptions): Dispatcher {
  switch (wanted.type) {
    case 'none':
      return new Agent({ ...POOL, connect: CONNECT });
    case 'agent':
      return new Agent({ ...POOL, connect: { ...(wanted.connect as TlsOptions), ...CONNECT } });
    case 'proxy':
      return new ProxyAgent({
        ...POOL,
        uri: wanted.uri,
        requestTls: wanted.requestTls as TlsOptions,
        proxyTls: { timeout: CONNECT.timeout },
      });
    case 'socks':
      throw new KubeConfigError(NO_SOCKS);
  }
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  if (typeof options.auth === 'string') headers.Authorization = `Basic ${toBase64(options.auth)}`;
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // Token files often end with a newline, which a header must not contain.
    if (value !== undefined) headers[name] = String(value).trim();
  }
  return headers;
}

/**
 * Loads a kubeconfig and chooses its context. Throws KubeConfigError if there is none, if it cannot be read, or if it
 * does not say which server to use.
 */
export function loadKubeConfig(
  options: KubeConfigOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): PooledKubeConfig {
  const config = new PooledKubeConfig(options.clock === undefined ? {} : { clock: options.clock });
  const files = filesOf(options, env);
  if (files.length > 0) for (const file of files) addFile(config, file);
  else if (env.KUBERNETES_SERVICE_HOST !== undefined && existsSync(SERVICE_ACCOUNT_TOKEN)) addPod(config);
  else throw new KubeConfigError('no cluster: set --kubeconfig, or run in a pod with a ServiceAccount token');
  chooseContext(config, options.context);
  return config;
}

function filesOf(options: KubeConfigOptions, env: NodeJS.ProcessEnv): string[] {
  if (options.file) return [options.file];
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  // Like kubectl: skips files of the list that do not exist, unless none of them does.
  if (named.length > 0)
    return named.some((file) => existsSync(file)) ? named.filter((file) => existsSync(file)) : named;
  const usual = join(env.HOME ?? homedir(), '.kube', 'config');
  return existsSync(usual) ? [usual] : [];
}

// Merges like kubectl: an earlier file wins.
function addFile(config: PooledKubeConfig, file: string): void {
  const next = new KubeConfig();
  try {
    next.loadFromFile(file);
    makeRenewable(next.users, file);
  } catch (error) {
    throw new KubeConfigError(`cannot use the kubeconfig ${file}: ${problemOf(error)}`);
  }
  next
    .getClusters()
    .filter(({ name }) => !config.getCluster(name))
    .forEach((cluster) => config.addCluster(cluster));
  next
    .getUsers()
    .filter(({ name }) => !config.getUser(name))
    .forEach((user) => config.addUser(user));
  next
    .getContexts()
    .filter(({ name }) => !config.getContextObject(name))
    .forEach((context) => config.addContext(context));
  if (!config.getCurrentContext() && next.getCurrentContext()) config.setCurrentContext(next.getCurrentContext());
}

// A YAML error quotes the lines around it, which may be a key or a token.
function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it cannot be read';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.name === 'YAMLException' || error.name === 'YAMLParseError' ? 'it is not YAML' : error.message;
}

/** The ServiceAccount of the pod that this process runs in. */
function addPod(config: PooledKubeConfig): void {
  config.loadFromCluster();
  for (const user of config.users) setProvider(user, fileProvider(SERVICE_ACCOUNT_TOKEN));
}

// client-node knows `token-file` and reads it once; kubectl's name is `tokenFile`, and such tokens are replaced hourly.
// It runs an exec plugin for each request that waits, and renews nothing that a server refuses. So the users are
// changed to use credentials.ts.
function makeRenewable(users: readonly User[], file: string): void {
  const raw = parse(readFileSync(file, 'utf8')) as {
    users?: { name?: string; user?: Record<string, unknown> }[];
  } | null;
  for (const { name, user } of raw?.users ?? []) {
    const tokenFile = user?.tokenFile ?? user?.['token-file'];
    const index = users.findIndex((known) => known.name === name);
    const known = users[index];
    if (known === undefined) continue;
    const plugin = known.exec as ExecPlugin | null | undefined;
    if (typeof plugin?.command === 'string') setProvider(known, execProvider(placed(plugin, file)));
    else if (typeof tokenFile === 'string') setProvider(known, fileProvider(resolve(dirname(file), tokenFile)));
  }
}

// As kubectl: a command with a slash is beside the kubeconfig, others are found by PATH.
function placed(plugin: ExecPlugin, file: string): ExecPlugin {
  return plugin.command.includes('/') ? { ...plugin, command: resolve(dirname(file), plugin.command) } : plugin;
}

function setProvider(user: User, provider: unknown): void {
  const fields = user as { token?: string; exec?: unknown; authProvider?: unknown };
  // a token beside a tokenFile is only its last content; exec would make client-node run the plugin
  delete fields.token;
  delete fields.exec;
  fields.authProvider = provider;
}

function chooseContext(config: PooledKubeConfig, wanted: string | undefined): void {
  if (wanted) config.setCurrentContext(wanted);
  const name = config.getCurrentContext();
  if (!name) throw new KubeConfigError('the kubeconfig has no current context: set --context');
  const context = config.getContextObject(name);
  const known = config.getContexts().map((each) => each.name);
  if (!context)
    throw new KubeConfigError(`the kubeconfig has no context "${name}"; it has: ${known.join(', ') || 'none'}`);
  checkCluster(config, name, context.cluster);
  if (config.getCurrentUser() !== null) return;
  // Without a user, client-node also leaves out the cluster's CA.
  config.addUser({ name: 'anonymous' });
  config.contexts = config.contexts.map((each) => (each.name === name ? { ...each, user: 'anonymous' } : each));
}

function checkCluster(config: PooledKubeConfig, context: string, name: string): void {
  const cluster = config.getCluster(name);
  if (!cluster?.server)
    throw new KubeConfigError(`the kubeconfig's context "${context}" names a cluster without a server`);
  // client-node also refuses it, but only at the first request.
  if (cluster.server.startsWith('http:') && !cluster.skipTLSVerify) {
    throw new KubeConfigError(`the server of the kubeconfig's context "${context}" must begin with https://`);
  }
  if (cluster.proxyUrl?.startsWith('socks')) throw new KubeConfigError(NO_SOCKS);
}
