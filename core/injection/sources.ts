/**
 * What injection has to know about other objects. Of the ConfigMaps and Secrets that the environment of containers comes
 * from: which of their values may refer to Vault. Of a ServiceAccount: whether its pods opt out of tokens. It does no
 * I/O; callers pass it in.
 */

/** An object of the workload's namespace. */
export interface SourceRef {
  readonly kind: 'ConfigMap' | 'Secret' | 'ServiceAccount';
  readonly name: string;
}

/** Objects that have to be read, each once. */
export interface SourceNeeds {
  readonly objects: readonly SourceRef[];
}

/** The one key of a ServiceAccount: 'true' if it says automountServiceAccountToken: false, else ''. */
export const OPT_OUT = 'optsOutOfToken';

/**
 * What is known about one object.
 * - data: all of its keys; with the value if it contains "vault:", else with ''; of a ServiceAccount only OPT_OUT
 * - missing: there is no such object
 * - unreadable: why it could not be read, and what to do about it
 */
export type SourceAnswer =
  { readonly data: Readonly<Record<string, string>> } | { readonly missing: true } | { readonly unreadable: string };

/** What is known now; undefined if the object has not been read yet. */
export type KnownSources = (ref: SourceRef) => SourceAnswer | undefined;

/** Its name in messages: `Secret db`. */
export function sourceName({ kind, name }: SourceRef): string {
  return `${kind} ${name}`;
}
