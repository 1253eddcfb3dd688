/** The types of a policy's conditions, in the order of the documentation. */
export const CONDITION_TYPES = [
  'Accepted',
  'Programmed',
  'WebhookReachable',
  'VaultReachable',
  'Rotating',
  'CertificateReady',
  'CRDOutdated',
  'Ready',
  'Reconciling',
  'Stalled',
] as const;

export type ConditionType = (typeof CONDITION_TYPES)[number];
