import { isPathSegment } from '../core/object-names.ts';
import { shortened } from '../core/shown.ts';
import type { Dispatcher } from 'undici';

import type { AnswerContext } from './api-error.ts';
import { errorOfAnswer, errorOfCredentials, errorOfNoAnswer } from './api-error.ts';
import { isNotFound } from './errors.ts';
import type { Connection } from './kube-config.ts';
import { asObject, asString, parseJson } from '../core/json.ts';
import { SHORT_JSON, trimObjects } from '../core/json-trim.ts';
import type { ObjectPath } from '../core/json-trim.ts';
import { unlessAborted } from './clock.ts';
import type { KubernetesObject, Resource } from '../core/object.ts';
import { coreResource } from '../core/resources.ts';
import type { ListOptions, ObjectClient, ObjectList, PatchOptions, WatchEvent, WatchOptions } from './object-client.ts';
import { ApiError } from './object-client.ts';
import { NO_BOUNDS, PageSizes } from './page-sizes.ts';
import type { PageBounds, PageLimits } from './page-sizes.ts';
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
  /** How long the pages of lists may be; default: 3 MiB, and 32 MiB for what cannot be divided. */
  readonly pageLimits?: PageLimits;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** See PatchOptions. */
  readonly traceparent?: string;
  /** The media type to ask for; default: JSON. */
  readonly accept?: string;
  readonly confidential: boolean;
  /** Where in the answer objects are that are trimmed if they are too large. */
  readonly trims?: readonly ObjectPath[];
}

const TIMEOUT_MS = 30_000;
const TOO_LONG = 'AnswerTooLong';
// The server ends a watch after timeoutSeconds; the client gives up on it this much later.
const WATCH_GRACE_MS = 5_000;

/** ObjectClient over HTTP/1.1 with a KubeConfig's credentials: JSON in, the server's JSON out, unchanged. */
export class ApiClient implements ObjectClient {
  readonly #options: ApiClientOptions;
  readonly #timeoutMs: number;
  readonly #pageSizes: PageSizes;

  constructor(options: ApiClientOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#pageSizes = new PageSizes(options.pageLimits);
  }

  async get<T extends KubernetesObject>(resource: Resource, name: string): Promise<T | undefined> {
    try {
      return (await this.#json({ method: 'GET', ...target(resource, name), ...trims(resource) })) as T;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** A page has fewer objects than `limit` where they are so long that it would take more than 3 MiB. */
  async list<T extends KubernetesObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { labelSelector, fieldSelector } = options;
    const query = { labelSelector, fieldSelector, continue: options.continue };
    const accept = options.metadataOnly === true ? { accept: partial('PartialObjectMetadataList') } : {};
    const call: Call = { method: 'GET', ...target(resource), query, ...accept, ...trims(resource, 'items', '*') };
    const list = (await this.#page(call, options.limit)) as Partial<ObjectList<T>> & ListHead;
    // Items of a list come without the apiVersion and kind that the same objects have everywhere else.
    const kind = list.kind?.replace(/List$/, '');
    const items = (list.items ?? []).map((item) => Object.assign({ apiVersion: list.apiVersion, kind }, item));
    return { metadata: list.metadata ?? { resourceVersion: '' }, items };
  }

  async create<T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T> {
    return (await this.#json({ method: 'POST', ...target(placed(resource, object)), body: object })) as T;
  }

  async replace<T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T> {
    const { name } = object.metadata;
    return (await this.#json({ method: 'PUT', ...target(placed(resource, object), name), body: object })) as T;
  }

  async apply<T extends KubernetesObject>(
    resource: Resource,
    object: KubernetesObject,
    options: { readonly fieldManager: string; readonly subresource?: string; readonly dryRun?: boolean },
  ): Promise<T> {
    const { path, confidential } = target(placed(resource, object), object.metadata.name, options.subresource);
    return (await this.#json({
      method: 'PATCH',
      path,
      confidential,
      query: {
        fieldManager: options.fieldManager,
        force: 'true',
        ...(options.dryRun === true ? { dryRun: 'All' } : {}),
      },
      body: object,
      // JSON is YAML; application/apply-patch+json is known to newer API servers only.
      contentType: 'application/apply-patch+yaml',
    })) as T;
  }

  async patch<T extends KubernetesObject>(
    resource: Resource,
    name: string,
    changes: Readonly<Record<string, unknown>>,
    options: PatchOptions,
  ): Promise<T> {
    return (await this.#json({
      method: 'PATCH',
      ...(options.traceparent !== undefined && { traceparent: options.traceparent }),
      ...target(resource, name, options.subresource),
      ...trims(resource),
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

  /**
   * Resolves with the issuer of ServiceAccount tokens, which is the audience of the API server too unless it was told
   * another one (--api-audiences). Rejects with ApiError.
   */
  async issuer(): Promise<string | undefined> {
    return asString(asObject(await this.document('/.well-known/openid-configuration'))?.issuer);
  }

  /** Resolves with what is at a path that belongs to no resource, such as /version. Rejects with ApiError. */
  document(path: string): Promise<unknown> {
    return this.#json({ method: 'GET', path, confidential: false });
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
      for await (const line of linesOf(body)) yield parseWatchEvent<T>(line, resource.trimmed);
    } catch (error) {
      if (options.signal.aborted) return;
      throw errorOfNoAnswer(error, contextOf(call));
    }
  }

  /** Asks for up to `limit` objects; for fewer, as often as need be, until the answer is short enough. */
  async #page(call: Call, limit: number | undefined): Promise<unknown> {
    for (;;) {
      const count = this.#pageSizes.next(call.path, limit);
      const query = { ...call.query, limit: count?.toString() };
      try {
        const page = await this.#json({ ...call, query }, this.#pageSizes.mostOf(count));
        this.#pageSizes.fitted(call.path, count, limit);
        return page;
      } catch (error) {
        if (!isTooLong(error) || !this.#pageSizes.tooLong(call.path, count)) throw error;
      }
    }
  }

  async #json(call: Call, most: PageBounds = NO_BOUNDS): Promise<unknown> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const { body } = await this.#send(call, signal, this.#timeoutMs);
    const context = contextOf(call);
    const bytes = await bytesOf(body, most.bytes, context).catch((error: unknown) =>
      Promise.reject(errorOfNoAnswer(error, context)),
    );
    const answer = parse(bytes, call.trims, most.elements, context);
    if (answer === undefined) {
      throw new ApiError(0, 'UnexpectedAnswer', `${context.call}: the answer is not JSON`);
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
          ...(call.traceparent !== undefined && { traceparent: call.traceparent }),
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
  // an API server decodes %2F before it looks for slashes, so that encoding keeps no name in its place
  const odd = parts.find((part) => !isPathSegment(part));
  if (odd !== undefined) throw new ApiError(400, 'NameInvalid', `${plural}: ${shortened(odd)} is no name of an object`);
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

/** Resolves with a body. Rejects as soon as it is longer than that, without waiting for the rest. */
async function bytesOf(body: Dispatcher.ResponseData['body'], most: number, { call }: AnswerContext): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    // leaving the loop closes the connection
    if (length > most) throw new ApiError(0, TOO_LONG, `${call}: the answer is longer than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** Returns what an answer says, with trimmed objects; undefined if it is not JSON. Throws if there is more in it. */
function parse(
  bytes: Buffer,
  trims: readonly ObjectPath[] | undefined,
  most: number,
  { call }: AnswerContext,
): unknown {
  if (trims === undefined || bytes.length < SHORT_JSON) return parseJson(bytes.toString('utf8'));
  const trimmed = trimObjects(bytes, trims);
  if (trimmed === undefined) return undefined;
  if (trimmed.elements > most)
    throw new ApiError(0, TOO_LONG, `${call}: the answer has over ${most} fields and elements`);
  return parseJson(trimmed.text);
}

function trims({ trimmed }: Resource, ...path: ObjectPath): Pick<Call, 'trims'> {
  return trimmed === true ? { trims: [path] } : {};
}

function isTooLong(error: unknown): boolean {
  return error instanceof ApiError && error.reason === TOO_LONG;
}
