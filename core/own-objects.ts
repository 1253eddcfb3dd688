/** Labels and annotations of objects that the operator keeps for itself, in its own namespace: the one list of them. */

const PREFIX = 'vaultinjection.dev/';

/** Keys by their names without prefix. Those of workloads are in injection/annotations.ts. */
export const OWN_KEYS = {
  /** Annotation of the certificates' Secret: a new value asks for a new authority. */
  renew: `${PREFIX}renew`,
  /** Annotation of the same Secret: the value that was honoured last, so that each is honoured once. */
  renewed: `${PREFIX}renewed`,
  /** Label of the Lease of a replica. */
  replica: `${PREFIX}replica`,
  /** Annotation of the same Lease: what the replica tells the others. */
  state: `${PREFIX}state`,
} as const;
