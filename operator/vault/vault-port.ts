import type { ReasonCode } from '../../core/reasons.ts';

/** A Vault server as a policy names it. */
export interface VaultTarget {
  readonly address: string;
  /** PEM of the only authorities to trust; '' for the well-known ones. */
  readonly caBundle: string;
  /** The name to verify in the certificate; '' for the host of the address. */
  readonly serverName: string;
}

/** Whether a Vault can be reached, in the terms of a condition. */
export interface VaultHealth {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: Extract<ReasonCode, `Vault${string}`>;
  /** For users. Contains neither tokens nor anything that Vault answered. */
  readonly message: string;
}

/** What the operator needs from Vault: only whether it is available. */
export interface VaultPort {
  /** Asks once, for a few seconds at most. Resolves with the health; never rejects. */
  health(target: VaultTarget): Promise<VaultHealth>;
}
