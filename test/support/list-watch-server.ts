import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

import { PooledKubeConfig } from '../../kube/kube-config.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { createAuthority } from './pki.ts';

type StoredObject = KubernetesObject & { readonly metadata: { readonly resourceVersion: string } };

/** Any fields of an object; its metadata adds to what the fake sets. */
interface Fields {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

interface HistoryEvent {
  readonly version: number;
  readonly line: string;
}

/**
 * A fake of one resource of an API server, over real TLS: lists in pages, watches that go on from a resourceVersion,
 * bookmarks, 410 for versions that were compacted, status by apply; and every fault that a network or a server has.
 * It is no API server: no admission, no schema, no field management. Those are tested on a real one.
 */
export class ListWatchServer {
  readonly requests: { readonly method: string; readonly url: URL; readonly headers: IncomingMessage['headers'] }[] =
    [];
  readonly applied: { readonly path: string; readonly body: unknown }[] = [];
  handshakes = 0;
  readonly #server: Server;
  readonly #certificate: string;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<ServerResponse>();
  readonly #objects = new Map<string, StoredObject>();
  #history: HistoryEvent[] = [];
  #version = 100;
  #compacted = 0;
  #port = 0;
  #failures: { status: number; headers: Record<string, string>; body: unknown }[] = [];
  #closeWatchesAtOnce = false;
  #silent = false;
  #token: string | undefined;

  private constructor(server: Server, certificate: string) {
    this.#server = server;
    this.#certificate = certificate;
    server.on('secureConnection', () => (this.handshakes += 1));
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response));
  }

  static async start(): Promise<ListWatchServer> {
    const authority = await createAuthority('list-watch fake');
    const { certificate, key } = await authority.server('127.0.0.1', ['127.0.0.1']);
    const fake = new ListWatchServer(createServer({ cert: certificate, key }), authority.certificate);
    await fake.comeBack();
    return fake;
  }

  kubeConfig(token = 'the-token'): PooledKubeConfig {
    const config = new PooledKubeConfig();
    const server = `https://127.0.0.1:${this.#port}`;
    const caData = Buffer.from(this.#certificate).toString('base64');
    config.loadFromClusterAndUser({ name: 'fake', server, caData, skipTLSVerify: false }, { name: 'me', token });
    return config;
  }

  /** Where it is, for a kubeconfig of the test's own. */
  get cluster(): { readonly server: string; readonly caPem: string } {
    return { server: `https://127.0.0.1:${this.#port}`, caPem: this.#certificate };
  }

  /** From now on answers 401 to everybody without this token. */
  letInOnly(token: string): void {
    this.#token = token;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  get lists(): URL[] {
    return this.#gets().filter((url) => !url.searchParams.has('watch'));
  }

  get watches(): URL[] {
    return this.#gets().filter((url) => url.searchParams.has('watch'));
  }

  put(name: string, fields: Fields = {}): void {
    const known = this.#objects.get(name);
    const uid = known?.metadata.uid ?? `uid-${this.#version + 1}`;
    const object = objectOf(name, { ...fields, uid, resourceVersion: this.#nextVersion() });
    this.#objects.set(name, object);
    this.#publish(known === undefined ? 'ADDED' : 'MODIFIED', object);
  }

  remove(name: string): void {
    const known = this.#objects.get(name);
    if (known === undefined) throw new Error(`no ${name}`);
    this.#objects.delete(name);
    this.#publish('DELETED', { ...known, metadata: { ...known.metadata, resourceVersion: this.#nextVersion() } });
  }

  bookmark(): void {
    const object = { apiVersion: 'example.dev/v1', kind: 'Thing', metadata: { resourceVersion: this.#nextVersion() } };
    this.sendLine(JSON.stringify({ type: 'BOOKMARK', object }));
  }

  /** Everything up to now can be listed, but not watched from any more. */
  compact(): void {
    this.#compacted = this.#version;
    this.#history = [];
  }

  /** As with etcd from a backup: the objects are there with earlier versions, and nobody can go on from a later one. */
  restore(): void {
    this.#version = 100;
    for (const [name, { metadata, ...fields }] of this.#objects) {
      this.#objects.set(name, { ...fields, metadata: { ...metadata, resourceVersion: this.#nextVersion() } });
    }
    this.#history = [];
    this.sendError(410, 'Expired');
  }

  /** Writes to all open watches whatever it is given. */
  sendLine(line: string): void {
    this.send(Buffer.from(`${line}\n`));
  }

  send(bytes: Uint8Array): void {
    for (const watch of this.#watches) watch.write(bytes);
  }

  sendError(code: number, reason: string): void {
    this.sendLine(JSON.stringify({ type: 'ERROR', object: { kind: 'Status', apiVersion: 'v1', code, reason } }));
  }

  /** The next answers, one request each. */
  failNext(status: number, times = 1, headers: Record<string, string> = {}, body?: unknown): void {
    for (let i = 0; i < times; i += 1) this.#failures.push({ status, headers, body });
  }

  closeWatchesAtOnce(yes: boolean): void {
    this.#closeWatchesAtOnce = yes;
  }

  /** Takes requests and never answers. */
  beSilent(yes: boolean): void {
    this.#silent = yes;
  }

  endWatches(): void {
    for (const watch of this.#watches) watch.end();
  }

  /** RST on every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** No longer listens; connections are gone. */
  async goAway(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens, on the same port as before. */
  async comeBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  #gets(): URL[] {
    return this.requests.filter(({ method }) => method === 'GET').map(({ url }) => url);
  }

  #nextVersion(): string {
    this.#version += 1;
    return String(this.#version);
  }

  #publish(type: string, object: StoredObject): void {
    const line = JSON.stringify({ type, object });
    this.#history.push({ version: Number(object.metadata.resourceVersion), line });
    this.sendLine(line);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'https://fake');
    this.requests.push({ method: request.method ?? '', url, headers: request.headers });
    if (this.#silent) return;
    if (this.#token !== undefined && request.headers.authorization !== `Bearer ${this.#token}`) {
      answer(response, 401, statusOf(401));
      return;
    }
    const failure = this.#failures.shift();
    if (failure !== undefined) {
      answer(response, failure.status, failure.body ?? statusOf(failure.status), failure.headers);
      return;
    }
    if (request.method !== 'GET') {
      this.#write(request, response, url);
      return;
    }
    if (url.searchParams.has('watch')) {
      this.#watch(response, url);
      return;
    }
    this.#list(response, url);
  }

  #write(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
      this.applied.push({ path: `${url.pathname}${url.search}`, body });
      const name = url.pathname.split('/').at(url.pathname.endsWith('/status') ? -2 : -1) ?? '';
      const known = this.#objects.get(name);
      if (known === undefined) {
        answer(response, 404, statusOf(404));
        return;
      }
      answer(response, 200, { ...known, ...(body.status === undefined ? {} : { status: body.status }) });
    });
  }

  #list(response: ServerResponse, url: URL): void {
    const all = [...this.#objects.values()];
    const offset = Number(url.searchParams.get('continue') ?? 0);
    const limit = Number(url.searchParams.get('limit') ?? all.length);
    const rest = offset + limit < all.length ? { continue: String(offset + limit) } : {};
    answer(response, 200, {
      apiVersion: 'example.dev/v1',
      kind: 'ThingList',
      metadata: { resourceVersion: String(this.#version), ...rest },
      items: all.slice(offset, offset + limit),
    });
  }

  #watch(response: ServerResponse, url: URL): void {
    const from = Number(url.searchParams.get('resourceVersion'));
    if (from < this.#compacted) {
      answer(response, 410, statusOf(410));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (this.#closeWatchesAtOnce) return void response.end();
    for (const { version, line } of this.#history) if (version > from) response.write(`${line}\n`);
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
  }
}

function objectOf(
  name: string,
  fields: Fields & { readonly uid: string; readonly resourceVersion: string },
): StoredObject {
  const { uid, resourceVersion, metadata = {}, ...rest } = fields;
  const named = { name, namespace: 'shop', uid, resourceVersion, ...metadata };
  return { apiVersion: 'example.dev/v1', kind: 'Thing', metadata: named, ...rest };
}

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function statusOf(code: number): unknown {
  const reason =
    { 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 410: 'Expired', 429: 'TooManyRequests' }[code] ??
    'InternalError';
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `the fake says ${code}` };
}
