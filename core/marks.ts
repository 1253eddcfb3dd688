/** Labels and annotations on objects that the operator keeps for itself. Those on workloads: injection/annotations.ts. */
export const mark = {
  /** On a ControllerRevision: the uid of the policy whose last good rule it holds. */
  policyUid: 'vaultinjection.dev/policy-uid',
} as const;
