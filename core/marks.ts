/** Labels and annotations on objects that the operator keeps for itself. Those on workloads: injection/annotations.ts. */
export const mark = {
  /** On a ControllerRevision: the uid of the policy whose last good rule it holds. */
  policyUid: 'vaultinjection.dev/policy-uid',
  /** On the Lease of a replica: that it is one, and what the replica tells the others. */
  replica: 'vaultinjection.dev/replica',
  state: 'vaultinjection.dev/state',
  /** On the Secret of the certificates: any new value asks for a new authority and another path; the value that was
   * honoured last for the authority. */
  renew: 'vaultinjection.dev/renew',
  renewed: 'vaultinjection.dev/renewed',
  /** On a namespace, by people: 'off' ends the warnings of config/warnings, where alone it is read. */
  warnings: 'vaultinjection.dev/warnings',
  /**
   * On a workload, while it is reviewed: that the operator's account has changed more than annotations. Written by
   * config/marks and refused by config/guard.
   */
  altered: 'vaultinjection.dev/altered',
  /** On the operator's ServiceAccount, by people: how URLs of the webhook begin, for config/guard. */
  webhookUrl: 'vaultinjection.dev/webhook-url',
  /** The same: which resources of the setting `templates` it may have reviewed, as `rollouts.argoproj.io`, separated by commas. */
  templates: 'vaultinjection.dev/templates',
  /** On a namespace, by people: the entry of config/external-webhook that its workloads are sent through. */
  webhook: 'vaultinjection.dev/webhook',
  /** The same for the entries of its other-kinds.yaml. */
  webhookOtherKinds: 'vaultinjection.dev/webhook-other-kinds',
  /** On the webhook configuration: the namespace of the installation that keeps it. */
  installation: 'vaultinjection.dev/installation',
  /** On the object that proves that the webhook is called: that it is one ('true'), and which replica has reviewed it. */
  probe: 'vaultinjection.dev/probe',
  probedBy: 'vaultinjection.dev/probed-by',
  /** On the Secret of the certificates: that the installation is being removed (core/uninstalling.ts). */
  uninstalling: 'vaultinjection.dev/uninstalling',
} as const;
