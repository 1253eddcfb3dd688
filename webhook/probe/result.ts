import type { KubernetesObject } from '../../core/object.ts';
import { shownText } from '../../core/shown.ts';
import { ApiError } from '../../kube/object-client.ts';
import { ENTRY_NAMES } from '../configuration/configuration.ts';
import { isReviewed } from './answer.ts';

/**
 * What one dry run shows.
 * - Reached: the webhook has reviewed the object
 * - NotCalled: the API server accepted the object without calling the webhook
 * - Unreachable: the API server called the webhook and got no answer that it could use
 * - Refused: it refused the object for another reason, which says nothing about the webhook
 * - Unanswered: the API server itself gave no usable answer, which says nothing either
 */
export type ProbeResult = (typeof PROBE_RESULTS)[number];
export const PROBE_RESULTS = ['Reached', 'NotCalled', 'Unreachable', 'Refused', 'Unanswered'] as const;

export interface Shown {
  readonly result: ProbeResult;
  /** The API server's own words about it; '' if it has none. */
  readonly text: string;
}

/** NotProgrammed: no dry run was made, because API servers have no entry by which they would call the webhook. */
export type Probed = Shown | { readonly result: 'NotProgrammed'; readonly text: '' };

// An address, a port, a certificate's names and Go's chain of errors fit into this.
const LONGEST_TEXT = 400;

/** Returns what the result of a dry run shows. */
export function shownBy(created: KubernetesObject): Shown {
  return { result: isReviewed(created) ? 'Reached' : 'NotCalled', text: '' };
}

/** Returns what the error of a dry run shows. */
export function shownByError(error: unknown): Shown {
  if (!(error instanceof ApiError)) return { result: 'Unanswered', text: 'the dry run could not be made' };
  const called = `failed calling webhook "${ENTRY_NAMES.probe}": `;
  const at = error.message.indexOf(called);
  if (at >= 0) {
    const text = error.message.slice(at + called.length).replace(/^failed to call webhook: /, '');
    return { result: 'Unreachable', text: shownText(withoutOwnPorts(text), LONGEST_TEXT) };
  }
  const isRefusal = error.code >= 400 && error.code < 500 && error.code !== 429;
  return { result: isRefusal ? 'Refused' : 'Unanswered', text: shownText(error.message, LONGEST_TEXT) };
}

/** The port from which a connection came differs each time, and tells nobody anything. */
function withoutOwnPorts(text: string): string {
  return text.replaceAll(/\S+:\d+->/g, '');
}
