/**
 * What injection has to know of the ConfigMaps and Secrets that the environment of containers comes from: which of their
 * values may refer to Vault. It never asks; it is told.
 */

/** An object of the workload's namespace. */
export interface SourceRef {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
}

/** Objects that somebody has to look into, each once. */
export interface SourceNeeds {
  readonly objects: readonly SourceRef[];
}

/**
 * What is known of one object.
 * - data: all of its keys; with the value where it holds "vault:", else with ''
 * - missing: there is no such object
 * - unreadable: somebody tried, and this is why it could not be read, with what to do
 */
export type SourceAnswer =
  { readonly data: Readonly<Record<string, string>> } | { readonly missing: true } | { readonly unreadable: string };

/** What is known at the moment; undefined where nobody has looked yet. */
export type KnownSources = (ref: SourceRef) => SourceAnswer | undefined;

/** How a person calls it: `Secret db`. */
export function sourceName({ kind, name }: SourceRef): string {
  return `${kind} ${name}`;
}
