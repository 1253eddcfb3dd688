/** A part of the catalogue of reasons: what nobody gets who has not consented to it. */
import type { Reason } from './reason.ts';

export const CONSENT_REASONS = {
  PlaintextNotAllowed: {
    usedBy: ['Accepted', 'Ready', 'Stalled', 'Event'],
    meaning:
      'spec.vault.address begins with http://, so tokens and secrets travel unencrypted, and the policy does not agree to that. ' +
      'Policies from before this was asked go on with their last good generation.',
    action: 'Write an address that begins with https://, or set spec.vault.allowPlaintext to true.',
  },
  TokenOptedOut: {
    usedBy: ['Admission', 'Workload', 'Event'],
    meaning:
      'The tokens of the policy are good for the API server as well (vault.auth.audience is empty, or its own), and the ' +
      'pods opted out of such tokens by automountServiceAccountToken: false, in the template or in their ServiceAccount. ' +
      'A stored template stays as it is; new and changed ones are refused under Fail, and left without injection under Ignore.',
    action:
      'Set vault.auth.audience of the policy to an audience of Vault (docs/guides/token-audience.md), or ' +
      'automountServiceAccountToken: true in the pod template.',
  },
} as const satisfies Record<string, Reason>;
