/** What the operator needs from the API server, as raw JSON: fields that this code does not know survive. */
import type { KubernetesObject, Resource } from '../core/object.ts';

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  /** Only apiVersion, kind and metadata of each object (PartialObjectMetadata). */
  readonly metadataOnly?: boolean;
}

export interface ObjectList<T extends KubernetesObject = KubernetesObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

export interface WatchOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion: string;
  /** The server ends the watch after this many seconds; the client ends it a little later if the server does not. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  /** As in ListOptions. */
  readonly metadataOnly?: boolean;
}

export type WatchEvent<T extends KubernetesObject = KubernetesObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly status: { readonly code: number; readonly reason: string } };

/** What is missing in the cluster, as far as the API server's answer says so. */
export type Lack =
  /** The namespace that the request is about does not exist. */
  | { readonly kind: 'Namespace'; readonly name: string }
  /** The API server does not know the resource: its CRD is not installed. */
  | { readonly kind: 'Resource'; readonly group: string; readonly plural: string }
  /** Nobody has granted the right; namespace '' is the cluster. `resource` is as in rules: pods/exec for a subresource. */
  | {
      readonly kind: 'Right';
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly namespace: string;
    };

/**
 * An unsuccessful response of the API server, or no response at all (code 0). `message` holds the server's reason and
 * its short message, never headers, bodies or credentials.
 */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  /** From Retry-After, in milliseconds, if the server sent one. */
  readonly retryAfterMs: number | undefined;
  readonly lack: Lack | undefined;

  constructor(code: number, reason: string, message: string, retryAfterMs?: number, lack?: Lack) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.lack = lack;
  }
}

export interface PatchOptions {
  readonly fieldManager: string;
  readonly subresource?: string;
  /** The header by which the API server, if it records traces, continues one (kube/tracer.ts). */
  readonly traceparent?: string | undefined;
}

/** All methods reject with ApiError. */
export interface ObjectClient {
  /** Resolves with the object, or with undefined if there is none (404). */
  get<T extends KubernetesObject>(resource: Resource, name: string): Promise<T | undefined>;
  /** Resolves with one page. */
  list<T extends KubernetesObject>(resource: Resource, options?: ListOptions): Promise<ObjectList<T>>;
  create<T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T>;
  /** PUT; if metadata.resourceVersion is set, it is rejected (409 Conflict) if the object has changed since. */
  replace<T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T>;
  /**
   * Server-side apply with force, of exactly these fields; `subresource` is for example 'status'. It creates what does not
   * exist, and its request has the object's name, so that RBAC can check it: that of create() has none. With `dryRun`
   * nothing is stored: admission reviews the object as it would, and the result comes back.
   */
  apply<T extends KubernetesObject>(
    resource: Resource,
    object: KubernetesObject,
    options: { readonly fieldManager: string; readonly subresource?: string; readonly dryRun?: boolean },
  ): Promise<T>;
  /** JSON merge patch (RFC 7386): null removes a field. Rejects with code 404 if there is nothing to patch. */
  patch<T extends KubernetesObject>(
    resource: Resource,
    name: string,
    changes: Readonly<Record<string, unknown>>,
    options: PatchOptions,
  ): Promise<T>;
  delete(resource: Resource, name: string): Promise<void>;
  /**
   * Yields events until the server closes the stream (the iteration ends), it breaks (ApiError), or `signal` aborts
   * (ends).
   */
  watch<T extends KubernetesObject>(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
}
