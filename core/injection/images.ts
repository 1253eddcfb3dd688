/**
 * What injection has to know about images: what a container without a command starts. It does no I/O; callers pass it
 * in.
 */

/** ENTRYPOINT and CMD, word for word; each is empty if the image has none. */
export interface EntryPoint {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/** A look-up failed: why, in at most two short sentences for the author of the workload. */
export interface ImageUnknown {
  readonly why: string;
  /** Another fault that may be the cause. */
  readonly advice?: string;
}

export type ImageAnswer = EntryPoint | ImageUnknown;

/** What is known now about an image, by its name in the manifest; undefined if it has not been looked up yet. */
export type KnownImages = (image: string) => ImageAnswer | undefined;

/** Images that have to be looked up, and where to find credentials for their registries. */
export interface ImageNeeds {
  /** As written in the manifest, each once. */
  readonly images: readonly string[];
  /** Name of the pods' ServiceAccount. */
  readonly serviceAccount: string;
  /** Names in imagePullSecrets of the pod template; if empty, those of the ServiceAccount count. */
  readonly pullSecrets: readonly string[];
}

export function isKnown(answer: ImageAnswer | undefined): answer is EntryPoint {
  return answer !== undefined && 'entrypoint' in answer;
}
