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
  /** On a namespace, by people: 'off' ends the warnings of config/warnings, where alone it is read. */
  warnings: 'vaultinjection.dev/warnings',
  /** On the webhook configuration: the namespace of the installation that keeps it. */
  installation: 'vaultinjection.dev/installation',
  /** On the object that proves that the webhook is called: that it is one ('true'), and which replica has reviewed it. */
  probe: 'vaultinjection.dev/probe',
  probedBy: 'vaultinjection.dev/probed-by',
} as const;
