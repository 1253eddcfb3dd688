/** One entry of the catalogue of reasons (reasons.ts). */
import type { ConditionType } from './condition-types.ts';

export interface Reason {
  /**
   * The conditions that carry it; Admission if it is an outcome or a denial of the webhook, Workload if it says how a
   * workload stands to its policy (status.attention), Event if an Event carries it.
   */
  readonly usedBy: readonly (ConditionType | 'Admission' | 'Workload' | 'Event')[];
  /** One sentence: what it says. */
  readonly meaning: string;
  /** One sentence: what to do about it; '' if there is nothing to do. */
  readonly action: string;
}
