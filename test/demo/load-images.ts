/** How images get onto the nodes of a cluster. */
import type { Origin } from './choose-cluster.ts';

export interface ImageSource {
  readonly origin: Origin;
  /** A command that takes the path of an archive as its last argument (IMAGE_LOADER). */
  readonly loader: string | undefined;
}

/** A program and its arguments. */
export type Command = readonly [string, ...string[]];

/**
 * Returns the commands that load these archives, one for each: kind before 0.15 loads only the first of several. Undefined
 * if nothing here knows how.
 */
export function loadCommands({ origin, loader }: ImageSource, archives: readonly string[]): Command[] | undefined {
  const [program, ...args] = (loader ?? '').split(/\s+/).filter(Boolean);
  if (program !== undefined) return archives.map((archive) => [program, ...args, archive]);
  switch (origin.by) {
    case 'kind':
      return archives.map((archive) => ['kind', 'load', 'image-archive', archive, '--name', origin.name]);
    case 'minikube':
      return archives.map((archive) => ['minikube', 'image', 'load', archive, '--profile', origin.name]);
    case 'other':
      return undefined;
  }
}

/** What to do where no image can be loaded, and no prefix says where images are. */
export function howToGetImages(context: string): string {
  return `The context "${context}" is neither of kind nor of minikube, so nothing here knows how its nodes get images that have not been
published. Give a command that loads an archive, such as one of these:
  make demo CONTEXT=${context} IMAGE_LOADER='k3d image import --cluster NAME'
  make demo CONTEXT=${context} IMAGE_LOADER='sudo k3s ctr images import'
  make demo CONTEXT=${context} IMAGE_LOADER='docker load --input'
Or push the images to a registry that the nodes pull from (docs/guides/images.md), and say where they are:
  make images IMAGE_PREFIX=registry.example.com/team
  make demo CONTEXT=${context} IMAGE_PREFIX=registry.example.com/team`;
}
