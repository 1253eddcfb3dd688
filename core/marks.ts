/** Labels and annotations on objects that the operator keeps for itself. Those on workloads: injection/annotations.ts. */
export const mark = {
  /** On a ControllerRevision: the uid of the policy whose last good rule it holds. */
  policyUid: 'vaultinjection.dev/policy-uid',
  /** On the Lease of a replica: that it is one, and what the replica tells the others. */
  replica: 'vaultinjection.dev/replica',
  state: 'vaultinjection.dev/state',
  /** On the Secret of the certificates: any new value asks for a new authority; the value that was honoured last. */
  renew: 'vaultinjection.dev/renew',
  renewed: 'vaultinjection.dev/renewed',
} as const;
