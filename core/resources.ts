import type { Resource } from './object.ts';

/** Kinds of the core group (v1), by the names of their resources. */
const PLURALS = {
  ConfigMap: 'configmaps',
  Event: 'events',
  Namespace: 'namespaces',
  Node: 'nodes',
  Secret: 'secrets',
  ServiceAccount: 'serviceaccounts',
} as const;

/** Returns the resource of a kind of the core group; without a namespace it is cluster-scoped or in all namespaces. */
export function coreResource(kind: keyof typeof PLURALS, namespace?: string): Resource {
  return { group: '', version: 'v1', plural: PLURALS[kind], ...(namespace !== undefined && { namespace }) };
}
