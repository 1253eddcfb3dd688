/**
 * How much the operator keeps of a workload because of what somebody wrote into it, and what is left if that is too much
 * for one namespace: then new versions of its secrets restart nothing, and what could not be looked up is not tried again
 * until the workload changes. Pure.
 */
import type { Standing } from './standing.ts';
import { shownText } from '../shown.ts';

const LONGEST_MESSAGE = 1_024;
const SHORT_MESSAGE = 256;
/** The most characters that are kept of the workloads of one namespace, besides what each needs at least. */
export const MOST_OF_NAMESPACE = 2 ** 22;

/** Returns how many characters a standing holds. */
export function weightOf({ message = '', reads, hiddenReads = [], needs, sourceNeeds }: Standing): number {
  const texts = [message, ...reads, ...hiddenReads, ...(needs?.images ?? []), ...(needs?.pullSecrets ?? [])];
  const names = (sourceNeeds?.objects ?? []).map(({ name }) => name);
  return [...texts, ...names].reduce((sum, text) => sum + text.length, 0);
}

/** Returns the standing with a message of bounded length: it may name what somebody else wrote. */
export function bounded(standing: Standing): Standing {
  const { message } = standing;
  return message === undefined || message.length <= LONGEST_MESSAGE
    ? standing
    : { ...standing, message: shownText(message, LONGEST_MESSAGE) };
}

/** Returns what is kept of a standing for which there is no room. */
export function lightened({ state, reason, message, policy, yielding, restartPending }: Standing): Standing {
  const light = { state, policy, yielding, reads: [], restartPending };
  if (state === 'Injected' && reason === undefined) {
    return {
      ...light,
      reason: 'WorkloadTooLarge',
      message: 'new versions of its secrets restart nothing: the workloads of this namespace refer to too many paths',
    };
  }
  return {
    ...light,
    ...(reason && { reason }),
    ...(message !== undefined && { message: shownText(message, SHORT_MESSAGE) }),
  };
}
