import type { VaultTarget } from './vault-port.ts';

/** A Vault server, and one of its namespaces ('' for its root). */
export interface MetadataTarget extends VaultTarget {
  readonly namespace: string;
}

/** What the metadata of a secret of KV version 2 say of its newest version. */
export type MetadataAnswer =
  | { readonly kind: 'Version'; readonly version: number }
  /** The newest version is deleted or destroyed: nobody could start with it. */
  | { readonly kind: 'Deleted' }
  /** 404: no such secret, no such mount, or one that is no KV version 2. */
  | { readonly kind: 'Missing' }
  /** 403: the role may not read it, or the token is not good any more. */
  | { readonly kind: 'Forbidden' }
  /** It is about this path alone, and cannot be used. */
  | { readonly kind: 'Unexpected'; readonly status: number };

export interface VaultLogin {
  readonly token: string;
  /** Milliseconds from now; Infinity where it does not end. */
  readonly lifeMs: number;
}

/** All paths of a Vault are concerned. `message` is for people, and holds nothing that Vault or a library has said. */
export class VaultFailure extends Error {
  override readonly name = 'VaultFailure';
  /**
   * Away: no answer, or none that tells anything now. LoginRefused: it answers, and does not let the operator in.
   * NoToken: the operator has nothing to log in with.
   */
  readonly kind: 'Away' | 'LoginRefused' | 'NoToken';

  constructor(kind: VaultFailure['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A few connections to one Vault. All methods reject with VaultFailure, within seconds. */
export interface MetadataConnection {
  /** Logs in with a ServiceAccount token at auth/`mountPath`, of Kubernetes or JWT auth. */
  login(mountPath: string, role: string, jwt: string): Promise<VaultLogin>;
  /** `path` such as secret/metadata/shop/db. `now` in milliseconds since the epoch: a version may be deleted later on. */
  read(token: string, path: string, now: number): Promise<MetadataAnswer>;
  /** Ends the token. Never rejects: one that cannot be revoked ends by itself. */
  revoke(token: string): Promise<void>;
  close(): Promise<void>;
}

/** What rotation wants of Vaults: numbers of versions, never values. */
export interface MetadataPort {
  connect(target: MetadataTarget): MetadataConnection;
}
