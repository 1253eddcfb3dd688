/** A decided admission. */
export interface ReviewedWorkload {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly policy?: { readonly name: string } | undefined;
  readonly denial?: { readonly reason: string; readonly message: string } | undefined;
  readonly operation?: string;
  readonly outcome?: string;
  /** Set if nothing was injected although the policy wants it. */
  readonly held?: unknown;
  /** Containers that were left alone although the policy wants them injected. */
  readonly skipped?: readonly unknown[];
  /** It came as the policy wants it. */
  readonly cameInjected?: true;
}
