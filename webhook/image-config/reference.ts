/** An image as a pod names it, with every optional part filled in. */
export interface ImageReference {
  /** Host with optional port, as in the name; docker.io if the name has none. */
  readonly registry: string;
  /** Such as library/nginx. */
  readonly repository: string;
  /** The digest if the image is pinned to one, else the tag (latest if there is none): what to ask a registry for. */
  readonly version: string;
  readonly isPinned: boolean;
}

const DEFAULT_REGISTRY = 'docker.io';
/** Its name in Docker configurations. */
const DEFAULT_REGISTRY_INDEX = 'index.docker.io';
const DEFAULT_TAG = 'latest';

// The grammar of github.com/distribution/reference. None of it causes backtracking: what may repeat begins with a
// character that cannot be part of what precedes it.
const HOST_LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const REGISTRY = new RegExp(`^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[0-9a-fA-F:.]+\\])(?::[0-9]{1,5})?$`);
const REPOSITORY_PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${REPOSITORY_PART}(?:/${REPOSITORY_PART})*$`);
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

// 255 for the name (distribution's own limit), 128 for a tag, 135 for a digest, and the separators.
const LONGEST = 520;
const LONGEST_NAME = 255;

/** Returns undefined for an invalid name. A digest wins over a tag, as in the kubelet. */
export function parseReference(image: string): ImageReference | undefined {
  if (image.length > LONGEST) return undefined;
  const at = image.indexOf('@');
  const digest = at < 0 ? undefined : image.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return undefined;
  const tagged = at < 0 ? image : image.slice(0, at);
  const colon = tagged.lastIndexOf(':');
  // a colon before a slash starts a port
  const hasTag = colon > tagged.lastIndexOf('/');
  const tag = hasTag ? tagged.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  const { registry, repository } = splitName(hasTag ? tagged.slice(0, colon) : tagged);
  if (!REGISTRY.test(registry) || !REPOSITORY.test(repository)) return undefined;
  if (registry.length + 1 + repository.length > LONGEST_NAME) return undefined;
  return { registry, repository, version: digest ?? tag ?? DEFAULT_TAG, isPinned: digest !== undefined };
}

export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** The first part is a host only if it looks like one: with a dot, a port, a capital letter, or called localhost. */
function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  const registry = !isHost || first === DEFAULT_REGISTRY_INDEX ? DEFAULT_REGISTRY : first;
  const repository = isHost ? name.slice(slash + 1) : name;
  const isOfficial = registry === DEFAULT_REGISTRY && !repository.includes('/');
  return { registry, repository: isOfficial ? `library/${repository}` : repository };
}
