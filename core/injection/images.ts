/** What injection has to know of images: what a container without a command starts. It never asks; it is told. */

/** ENTRYPOINT and CMD, word for word; each empty where the image has none. */
export interface EntryPoint {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

/** Somebody asked, and this is why it is not known: two short sentences' worth for the author of the workload. */
export interface ImageUnknown {
  readonly why: string;
  /** Something else that is wrong and may be the cause. */
  readonly advice?: string;
}

export type ImageAnswer = EntryPoint | ImageUnknown;

/** What is known of an image at the moment, by its name in the manifest; undefined where nobody has asked yet. */
export type KnownImages = (image: string) => ImageAnswer | undefined;

/** Images that somebody has to ask for, and what their registries may have to be shown. */
export interface ImageNeeds {
  /** As they stand in the manifest, each once. */
  readonly images: readonly string[];
  /** Name of the pods' ServiceAccount. */
  readonly serviceAccount: string;
  /** Names in imagePullSecrets of the pod template; empty: those of the ServiceAccount count. */
  readonly pullSecrets: readonly string[];
}

export function isKnown(answer: ImageAnswer | undefined): answer is EntryPoint {
  return answer !== undefined && 'entrypoint' in answer;
}
