/** Kubernetes objects as plain data: raw JSON, so that fields that this code does not know survive. */

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

/**
 * A resource and where it is: group '' is the core group; without a namespace it is cluster-scoped or in all
 * namespaces.
 */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
  /**
   * Its objects have no other bound than that of API servers: of one with too much in it, only what core/oversized.ts says
   * is read from lists, watches and single reads. Left out: they are read whole.
   */
  readonly trimmed?: true;
}

/** What identifies an object of one resource: its namespace, if it has one, and its name. */
export interface ObjectName {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** Returns what a watch needs of an object's metadata, where the rest is not kept. */
export function identityOf({
  name,
  uid,
  resourceVersion,
}: ObjectMeta): Pick<ObjectMeta, 'name' | 'uid' | 'resourceVersion'> {
  return { name, ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) };
}

/**
 * Returns `namespace/name`, or `name` alone if it is cluster-scoped: the key by which objects are kept, queued and
 * reported.
 */
export function keyOf({ namespace = '', name }: ObjectName): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** The inverse of keyOf(); the namespace is '' for a cluster-scoped object. Neither part of a key contains a slash. */
export function partsOfKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) };
}
