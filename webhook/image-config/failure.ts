/**
 * Why the entrypoint of an image is not known.
 * - NotAnImage: the name in the manifest is not an image reference
 * - NotAllowed: the settings do not allow this registry or address
 * - NotFound: the registry has no such image
 * - Unauthorized: the registry accepts none of the available credentials
 * - RateLimited: the registry asked to wait
 * - Unreachable: no connection, no TLS, no response, or a server error
 * - TooSlow: the response did not arrive within the time that an admission can wait
 * - WrongPlatform: the image is for other platforms than the cluster's nodes
 * - Unusable: what the registry sent is not an image, is damaged, or is too large
 * - Busy: too many look-ups are in progress
 */
export type FailureCode =
  | 'NotAnImage'
  | 'NotAllowed'
  | 'NotFound'
  | 'Unauthorized'
  | 'RateLimited'
  | 'Unreachable'
  | 'TooSlow'
  | 'WrongPlatform'
  | 'Unusable'
  | 'Busy';

export const FAILURE_CODES: readonly FailureCode[] = [
  ...(['NotAnImage', 'NotAllowed', 'NotFound', 'Unauthorized', 'RateLimited'] as const),
  ...(['Unreachable', 'TooSlow', 'WrongPlatform', 'Unusable', 'Busy'] as const),
];

/** A failed look-up. `message` is for the author of a workload: short, without anything that a registry sent. */
export class ImageFailure extends Error {
  override readonly name = 'ImageFailure';
  readonly code: FailureCode;
  /** How long the registry asked to wait, in milliseconds, if it did. */
  readonly retryAfterMs: number | undefined;

  constructor(code: FailureCode, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
