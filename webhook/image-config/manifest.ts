/** The documents of an image, in OCI and Docker formats: index, manifest, configuration. Pure. */
import { hash } from 'node:crypto';
import { asList, asObject, asString, asStrings, parseJson } from '../../core/json.ts';
import type { RawObject } from '../../core/json.ts';
import type { EntryPoint } from '../../core/injection/images.ts';
import { ImageFailure } from './failure.ts';
import type { Platform } from './platform.ts';
import { chooseManifest, platformName } from './platform.ts';
import { isDigest } from './reference.ts';

/** A reference from one document to another: its digest and size. */
export interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

const INDEX_TYPES: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MANIFEST_TYPES: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
// An artifact, such as a Helm chart, is an OCI manifest with a configuration of another type.
const CONFIG_TYPES: readonly string[] = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];

/** The Accept header: a registry converts or refuses what is not in it. */
export const ACCEPTED_MANIFESTS = [...INDEX_TYPES, ...MANIFEST_TYPES].join(', ');

// An annotation of a pod template records it, and all annotations of an object share 256 KiB.
const LARGEST_ENTRY_POINT = 128 * 1024;
// A word costs memory even if it is empty, and a registry can send millions of them.
const MOST_WORDS = 1_000;

/** Returns the digest of bytes with the algorithm of another digest; SHA-256 if there is none. */
export function digestLike(digest: string, bytes: Uint8Array): string {
  const algorithm = digest.startsWith('sha512:') ? 'sha512' : 'sha256';
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}`;
}

/**
 * Returns the next step from a reference to an image's configuration: the manifest for one of the platforms (from an
 * index), or the configuration (from a manifest). Throws ImageFailure.
 */
export function readManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
  platforms: readonly Platform[],
): { readonly manifest: Descriptor } | { readonly config: Descriptor } {
  const document = parse(bytes);
  // The document's own mediaType counts; OCI makes it optional, and then the header counts.
  const type = asString(document.mediaType) ?? contentType?.split(';')[0]?.trim() ?? '';
  if (INDEX_TYPES.includes(type)) return { manifest: manifestIn(document, platforms) };
  if (!MANIFEST_TYPES.includes(type)) throw unusable('not a type of image that Kubernetes runs');
  const config = asObject(document.config);
  if (!CONFIG_TYPES.includes(asString(config?.mediaType) ?? '')) throw unusable('an artifact, not an image');
  return { config: descriptorOf(config) };
}

/** Returns ENTRYPOINT and CMD, each empty if the image has none. Throws ImageFailure. */
export function readConfig(bytes: Uint8Array): EntryPoint {
  const config = asObject(parse(bytes).config);
  const entrypoint = asStrings(config?.Entrypoint) ?? [];
  const cmd = asStrings(config?.Cmd) ?? [];
  const words = entrypoint.length + cmd.length;
  const size = words > MOST_WORDS ? Infinity : [...entrypoint, ...cmd].reduce((sum, word) => sum + word.length, 0);
  if (size > LARGEST_ENTRY_POINT) throw unusable('its ENTRYPOINT and CMD are too long');
  return { entrypoint, cmd };
}

function manifestIn(index: RawObject, platforms: readonly Platform[]): Descriptor {
  const manifests = (asList(index.manifests) ?? []).map(asObject).filter((item) => item !== undefined);
  const offered = manifests.map((descriptor) => ({ descriptor, platform: platformOf(descriptor) }));
  const chosen = chooseManifest(offered, platforms);
  if (chosen !== undefined) return descriptorOf(chosen.descriptor);
  const wanted = platforms.map(platformName).join(' or ');
  throw new ImageFailure('WrongPlatform', `the image is not available for ${wanted}`);
}

function platformOf(descriptor: RawObject): Platform {
  const platform = asObject(descriptor.platform);
  const variant = asString(platform?.variant) ?? '';
  return { os: asString(platform?.os) ?? '', architecture: asString(platform?.architecture) ?? '', variant };
}

function descriptorOf(value: RawObject | undefined): Descriptor {
  const digest = asString(value?.digest) ?? '';
  const size = value?.size;
  if (!isDigest(digest) || typeof size !== 'number') throw unusable('its manifest is malformed');
  return { digest, size };
}

function parse(bytes: Uint8Array): RawObject {
  const document = asObject(parseJson(Buffer.from(bytes).toString('utf8')));
  if (document === undefined) throw unusable('its manifest is not JSON');
  return document;
}

function unusable(text: string): ImageFailure {
  return new ImageFailure('Unusable', text);
}
