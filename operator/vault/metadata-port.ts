import type { VaultTarget } from './vault-port.ts';

/** A Vault server, and one of its namespaces ('' for its root). */
export interface MetadataTarget extends VaultTarget {
  readonly namespace: string;
}

/** What the metadata of a KV version 2 secret say about its newest version. */
export type MetadataAnswer =
  | { readonly kind: 'Version'; readonly version: number }
  /** The newest version is deleted or destroyed: nobody could start with it. */
  | { readonly kind: 'Deleted' }
  /** 404: no such secret, no such mount, or a mount that is not KV version 2. */
  | { readonly kind: 'Missing' }
  /** 403: the role may not read it, or the token is no longer valid. */
  | { readonly kind: 'Forbidden' }
  /** Another response about this path alone. */
  | { readonly kind: 'Unexpected'; readonly status: number };

export interface VaultLogin {
  readonly token: string;
  /** Milliseconds from now; Infinity if it does not expire. */
  readonly lifeMs: number;
}

/**
 * A failure that concerns all paths of a Vault. `message` is for users and contains nothing from Vault or a library.
 */
export class VaultFailure extends Error {
  override readonly name = 'VaultFailure';
  /**
   * Away: no response, or none that says anything now. LoginRefused: it answers, but rejects the log-in. NoToken: the
   * operator has no token to log in with.
   */
  readonly kind: 'Away' | 'LoginRefused' | 'NoToken';

  constructor(kind: VaultFailure['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Connections to one Vault. All methods reject with VaultFailure, within seconds. */
export interface MetadataConnection {
  /** Logs in with a ServiceAccount token at auth/`mountPath`, of Kubernetes or JWT auth. */
  login(mountPath: string, role: string, jwt: string): Promise<VaultLogin>;
  /** `path` is for example secret/metadata/shop/db. `now` is in milliseconds since the epoch: a version may expire. */
  read(token: string, path: string, now: number): Promise<MetadataAnswer>;
  /** Revokes the token. Never rejects: one that cannot be revoked expires. */
  revoke(token: string): Promise<void>;
  close(): Promise<void>;
}

/** What rotation needs from Vaults: version numbers, never values. */
export interface MetadataPort {
  connect(target: MetadataTarget): MetadataConnection;
}
