/** A part of the catalogue of reasons: the outcomes of an admission. */
import type { Reason } from './reason.ts';

export const OUTCOME_REASONS = {
  Injected: { usedBy: ['Admission'], meaning: 'The template was injected as the policy says.', action: '' },
  Restored: {
    usedBy: ['Admission'],
    meaning: 'What an earlier injection added was removed, because nothing asks for it any more.',
    action: '',
  },
  Unchanged: { usedBy: ['Admission'], meaning: 'The template already was as it should be.', action: '' },
  NoPolicy: {
    usedBy: ['Admission'],
    meaning: 'No policy of the namespace is for this workload.',
    action: 'If one should be, compare its targets and selector with the kind and labels of the workload.',
  },
  Excluded: {
    usedBy: ['Admission'],
    meaning: 'The annotation vaultinjection.dev/inject keeps the workload out, or none lets it in.',
    action: 'Set the annotation to "true" to let it in.',
  },
  Denied: {
    usedBy: ['Admission', 'Event'],
    meaning: 'The workload was refused.',
    action: 'The message names the reason of the denial and what to change.',
  },
} as const satisfies Record<string, Reason>;
