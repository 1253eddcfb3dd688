import type { PolicyFacts } from '../../operator/policies/conditions.ts';

/** What is known about a policy of generation 3 with which all is well. */
export const ALL_WELL: PolicyFacts = {
  verdict: { ok: true, suspended: false },
  inForce: 3,
  programmed: true,
  everywhere: true,
  webhook: { status: 'True', reason: 'WebhookReached', message: 'reached' },
  excluded: false,
  certificateReady: true,
  vault: { status: 'True', reason: 'VaultReachable', message: 'it answers' },
};
