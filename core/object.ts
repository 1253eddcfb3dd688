/** Objects of Kubernetes as plain data: raw JSON, of which fields that this code does not know survive. */

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string | null;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** A resource, and where: group '' is the core group; without a namespace it is cluster-scoped or all namespaces. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
}

/** What tells an object of one resource from all others: its namespace, where it has one, and its name. */
export interface ObjectName {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `namespace/name`, or `name` alone of what is cluster-scoped: by this key objects are kept, queued and told of. */
export function keyOf({ namespace = '', name }: ObjectName): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** What keyOf() made a key of; the namespace of what is cluster-scoped is ''. Neither part of a key holds a slash. */
export function partsOfKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) };
}
