import type { Dispatcher } from 'undici';

import type { AnswerContext } from './api-error.ts';
import { errorOfAnswer, errorOfCredentials, errorOfNoAnswer } from './api-error.ts';
import { isNotFound } from './errors.ts';
import type { Connection } from './kube-config.ts';
import { parseJson } from '../core/json.ts';
import { unlessAborted } from './clock.ts';
import type { KubernetesObject, Resource } from '../core/object.ts';
import { coreResource } from '../core/resources.ts';
import type { ListOptions, ObjectClient, ObjectList, WatchEvent, WatchOptions } from './object-client.ts';
import { ApiError } from './object-client.ts';
import { linesOf, parseWatchEvent } from './watch-stream.ts';

export interface ApiClientOptions {
  /** Returns server, credentials and pool for each request: a PooledKubeConfig. */
  readonly kubeConfig: { connection(): Promise<Connection> };
  /** Also names the field manager of create and replace (the part before the slash). */
  readonly userAgent: string;
  /** For one call, including its credentials and the whole response; for a watch, until it is open. */
  readonly timeoutMs?: number;
  /** A watch that sends nothing for this long, not even a bookmark, is closed; undefined: only its timeout ends it. */
  readonly watchIdleMs?: number;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** The media type to ask for; default: JSON. */
  readonly accept?: string;
  readonly confidential: boolean;
}

const TIMEOUT_MS = 30_000;
// The server ends a watch after timeoutSeconds; the client gives up on it this much later.
const WATCH_GRACE_MS = 5_000;

/** ObjectClient over HTTP/1.1 with a KubeConfig's credentials: JSON in, the server's JSON out, unchanged. */
export class ApiClient implements ObjectClient {
  readonly #options: ApiClientOptions;
  readonly #timeoutMs: number;

  constructor(options: ApiClientOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  }

  async get<T extends KubernetesObject>(resource: Resource, name: string): Promise<T | undefined> {
    try {
      return (await this.#json({ method: 'GET', ...target(resource, name) })) as T;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async list<T extends KubernetesObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
    const query = {
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      limit: options.limit?.toString(),
      continue: options.continue,
    };
    const accept = options.metadataOnly === true ? { accept: partial('PartialObjectMetadataList') } : {};
    const call: Call = { method: 'GET', ...target(resource), query, ...accept };
    const list = (await this.#json(call)) as Partial<ObjectList<T>> & ListHead;
    // Items of a list come without the apiVersion and kind that the same objects have everywhere else.
    const kind = list.kind?.replace(/List$/, '');
    const items = (list.items ?? []).map((item) => Object.assign({ apiVersion: list.apiVersion, kind }, item));
    return { metadata: list.metadata ?? { resourceVersion: '' }, items };
  }

  async create<T extends KubernetesObject>(
    resource: Resource,
    object: KubernetesObject,
    options: { readonly dryRun?: boolean } = {},
  ): Promise<T> {
    const query = options.dryRun === true ? { dryRun: 'All' } : {};
    return (await this.#json({ method: 'POST', ...target(placed(resource, object)), query, body: object })) as T;
  }

  async replace<T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T> {
    const { name } = object.metadata;
    return (await this.#json({ method: 'PUT', ...target(placed(resource, object), name), body: object })) as T;
  }

  async apply<T extends KubernetesObject>(
    resource: Resource,
    object: KubernetesObject,
    options: { readonly fieldManager: string; readonly subresource?: string },
  ): Promise<T> {
    const { path, confidential } = target(placed(resource, object), object.metadata.name, options.subresource);
    return (await this.#json({
      method: 'PATCH',
      path,
      confidential,
      query: { fieldManager: options.fieldManager, force: 'true' },
      body: object,
      // JSON is YAML; application/apply-patch+json is known to newer API servers only.
      contentType: 'application/apply-patch+yaml',
    })) as T;
  }

  async patch<T extends KubernetesObject>(
    resource: Resource,
    name: string,
    changes: Readonly<Record<string, unknown>>,
    options: { readonly fieldManager: string; readonly subresource?: string },
  ): Promise<T> {
    return (await this.#json({
      method: 'PATCH',
      ...target(resource, name, options.subresource),
      query: { fieldManager: options.fieldManager },
      body: changes,
      contentType: 'application/merge-patch+json',
    })) as T;
  }

  /**
   * Creates a token of a ServiceAccount (TokenRequest) for one audience, which is never that of the API server itself.
   */
  async createToken(
    namespace: string,
    serviceAccount: string,
    { audience, expirationSeconds }: { readonly audience: string; readonly expirationSeconds: number },
  ): Promise<string> {
    const { path } = target(coreResource('ServiceAccount', namespace), serviceAccount, 'token');
    const answer = (await this.#json({
      method: 'POST',
      path,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds },
      },
      confidential: true,
    })) as { status?: { token?: unknown } } | null;
    const token = answer?.status?.token;
    if (typeof token === 'string' && token !== '') return token;
    throw new ApiError(0, 'UnexpectedAnswer', `POST ${path}: the answer contains no token`);
  }

  /** A missing object (404) counts as deleted. */
  async delete(resource: Resource, name: string): Promise<void> {
    try {
      await this.#json({ method: 'DELETE', ...target(resource, name) });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async *watch<T extends KubernetesObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      resourceVersion: options.resourceVersion,
      timeoutSeconds: options.timeoutSeconds.toString(),
    };
    const accept = options.metadataOnly === true ? { accept: partial('PartialObjectMetadata') } : {};
    const call: Call = { method: 'GET', ...target(resource), query, ...accept };
    const deadline = AbortSignal.timeout(options.timeoutSeconds * 1000 + WATCH_GRACE_MS);
    const signal = AbortSignal.any([options.signal, deadline]);
    try {
      const { body } = await this.#send(call, signal, this.#options.watchIdleMs ?? 0);
      for await (const line of linesOf(body)) yield parseWatchEvent<T>(line);
    } catch (error) {
      if (options.signal.aborted) return;
      throw errorOfNoAnswer(error, contextOf(call));
    }
  }

  async #json(call: Call): Promise<unknown> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const { body } = await this.#send(call, signal, this.#timeoutMs);
    const text = await body.text().catch((error: unknown) => Promise.reject(errorOfNoAnswer(error, contextOf(call))));
    const answer = parseJson(text);
    if (answer === undefined) {
      throw new ApiError(0, 'UnexpectedAnswer', `${contextOf(call).call}: the answer is not JSON`);
    }
    return answer;
  }

  /** Resolves with the head of a successful response; the body is still to be read. */
  async #send(call: Call, signal: AbortSignal, bodyTimeout: number): Promise<Dispatcher.ResponseData> {
    const context = contextOf(call);
    let connection = await this.#connection(context, signal);
    let response = await this.#request(call, connection, signal, bodyTimeout);
    // once, because a server that refuses new credentials too refuses them for another reason than their age
    if (response.statusCode === 401 && connection.refused()) {
      await response.body.dump();
      connection = await this.#connection(context, signal);
      response = await this.#request(call, connection, signal, bodyTimeout);
    }
    if (response.statusCode >= 200 && response.statusCode < 300) return response;
    const text = await response.body.text().catch(() => '');
    const retryAfter = response.headers['retry-after'];
    throw errorOfAnswer(response.statusCode, typeof retryAfter === 'string' ? retryAfter : undefined, text, context);
  }

  async #request(
    call: Call,
    { server, headers, dispatcher }: Connection,
    signal: AbortSignal,
    bodyTimeout: number,
  ): Promise<Dispatcher.ResponseData> {
    const { origin, pathname, search } = new URL(server + call.path + queryOf(call.query));
    return dispatcher
      .request({
        origin,
        path: pathname + search,
        method: call.method,
        headers: {
          ...headers,
          accept: call.accept ?? 'application/json',
          'user-agent': this.#options.userAgent,
          ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal,
        headersTimeout: this.#timeoutMs,
        bodyTimeout,
      })
      .catch((error: unknown) => Promise.reject(errorOfNoAnswer(error, contextOf(call))));
  }

  // An exec plugin that hangs must not hang the call.
  async #connection(context: AnswerContext, signal: AbortSignal): Promise<Connection> {
    const credentials = this.#options.kubeConfig
      .connection()
      .catch((error: unknown) => Promise.reject(errorOfCredentials(error, context)));
    return unlessAborted(credentials, signal, () => errorOfCredentials(signal.reason, context));
  }
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches */
function partial(kind: string): string {
  return `application/json;as=${kind};g=meta.k8s.io;v=v1`;
}

interface ListHead {
  readonly apiVersion?: string;
  readonly kind?: string;
}

// Objects know their namespace; a resource without one means "wherever the object says".
function placed(resource: Resource, object: KubernetesObject): Resource {
  const namespace = resource.namespace ?? object.metadata.namespace;
  return namespace === undefined ? resource : { ...resource, namespace };
}

function target(resource: Resource, name?: string, subresource?: string): { path: string; confidential: boolean } {
  const { group, version, namespace, plural } = resource;
  const parts = [
    ...(group === '' ? ['api', version] : ['apis', group, version]),
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  const confidential = group === '' && plural === 'secrets';
  return { path: `/${parts.map(encodeURIComponent).join('/')}`, confidential };
}

function queryOf(query: Call['query']): string {
  const given = Object.entries(query ?? {}).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

function contextOf(call: Call): AnswerContext {
  return { call: `${call.method} ${call.path}`, confidential: call.confidential };
}
