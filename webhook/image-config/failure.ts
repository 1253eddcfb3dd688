/**
 * Why the entry point of an image is not known.
 * - NotAnImage: the name in the manifest is no image reference
 * - NotAllowed: the settings keep the operator from asking this registry, or this address
 * - NotFound: the registry has no such image
 * - Unauthorized: the registry opens it to none of the credentials at hand
 * - RateLimited: the registry asked to be left alone for a while
 * - Unreachable: no connection, no TLS, no answer, or an error of the server
 * - TooSlow: the answer did not come within the time that an admission can wait
 * - WrongPlatform: the image is made for other platforms than the cluster's nodes
 * - Unusable: what the registry sent is no image, is damaged, or is too large
 * - Busy: too many look-ups are under way
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

/** A look-up that found nothing. `message` is for the author of a workload: short, without anything a registry sent. */
export class ImageFailure extends Error {
  override readonly name = 'ImageFailure';
  readonly code: FailureCode;
  /** How long the registry asked to be left alone, in milliseconds, where it said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: FailureCode, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
