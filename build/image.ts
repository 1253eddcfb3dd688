/**
 * Container images without a registry, a daemon or root: OCI archives that `ctr images import`, `kind load
 * image-archive`, `skopeo copy` and `docker load` accept.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tar, type TarFile, type TarLink } from './tar.ts';

export interface ImageSpec {
  /** As a pod names it, with host and tag: localhost/probe:1 */
  readonly name: string;
  readonly files: readonly ImageFile[];
  /** A layer below that of `files`, for what changes less often. */
  readonly base?: readonly ImageFile[];
  /** Go's name for it; default: this machine's. */
  readonly architecture?: string;
  /** Whether the layers are compressed by gzip, as registries store them; default: no, which is faster. */
  readonly compress?: boolean;
  /** When the image was made, in RFC 3339; default: the image does not say. */
  readonly created?: string | undefined;
  readonly config?: {
    readonly entrypoint?: readonly string[];
    readonly cmd?: readonly string[];
    readonly user?: string;
    readonly env?: readonly string[];
    readonly workingDir?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** A file of an image's layer: its content, a local file to take it from, or its link target. */
export interface ImageFile {
  /** Absolute. */
  readonly path: string;
  /** Permission bits; default: 0o755. */
  readonly mode?: number;
  readonly content?: string | Uint8Array;
  readonly source?: string;
  readonly target?: string;
}

export interface Image {
  readonly name: string;
  /** Path of the OCI archive. */
  readonly archive: string;
  /** Of the manifest, sha256:…; the same files and configuration yield the same digest. */
  readonly digest: string;
}

/** An image for several architectures under one name. */
export interface MultiImage extends Image {
  /** Of the index of its images. */
  readonly digest: string;
  /** The same image as an archive of its own for each architecture. */
  readonly images: readonly (Image & { readonly architecture: string })[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: 'linux'; readonly architecture: string };
}

/** The manifest of one image, with all blobs that it refers to. */
interface Built {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly blobs: readonly Uint8Array[];
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

/** Writes the archive of an image; returns the image. */
export function buildImage(spec: ImageSpec, archive: string): Image {
  return writeImage(spec.name, layOut(spec), archive);
}

/**
 * Writes the archive of one image that is built for several architectures, and beside it NAME-ARCHITECTURE.tar for each,
 * for tools that know only one; returns the image. All specs have the same name.
 */
export function buildMultiImage(specs: readonly ImageSpec[], archive: string): MultiImage {
  const [name = ''] = specs.map((spec) => spec.name);
  const built = specs.map((spec) => ({ architecture: spec.architecture ?? ownArchitecture(), ...layOut(spec) }));
  const index = json({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: built.map(({ manifest, architecture }) => ({ ...manifest, platform: { os: 'linux', architecture } })),
  });
  // The index is nested: an archive whose own index.json has two manifests is two images for skopeo.
  const top = descriptor(INDEX, index);
  writeArchive(archive, name, top, [index, ...built.flatMap(({ blobs }) => blobs)]);
  const images = built.map(({ architecture, ...one }) => ({
    architecture,
    ...writeImage(name, one, archive.replace(/\.tar$/, `-${architecture}.tar`)),
  }));
  return { name, archive, digest: top.digest, images };
}

/** Returns Go's name, which OCI uses, for this machine's architecture. */
export function ownArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

function layOut(spec: ImageSpec): Built {
  const tars = [spec.base ?? [], spec.files]
    .filter((files) => files.length > 0)
    .map((files) => tar(files.map(layerFile)));
  const layers = tars.map((layer) => (spec.compress === true ? gzip(layer) : layer));
  const type = `application/vnd.oci.image.layer.v1.tar${spec.compress === true ? '+gzip' : ''}`;
  const config = json({
    created: spec.created,
    architecture: spec.architecture ?? ownArchitecture(),
    os: 'linux',
    config: {
      Entrypoint: spec.config?.entrypoint,
      Cmd: spec.config?.cmd,
      User: spec.config?.user,
      Env: spec.config?.env,
      WorkingDir: spec.config?.workingDir,
      Labels: spec.config?.labels,
    },
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
  });
  const described = {
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor(type, layer)),
  };
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...described,
  });
  return {
    manifest: descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
    ...described,
    blobs: [manifest, config, ...layers],
  };
}

/** Beside the OCI layout it has what `docker load` without containerd's image store and `crane push` read. */
function writeImage(name: string, { manifest, config, layers, blobs }: Built, archive: string): Image {
  const forDocker = [{ Config: pathOf(config), RepoTags: [name], Layers: layers.map(pathOf) }];
  writeArchive(archive, name, manifest, blobs, [{ path: 'manifest.json', content: json(forDocker) }]);
  return { name, archive, digest: manifest.digest };
}

// Format: the OCI image layout; the annotation is what containerd, Docker and podman take the name from.
function writeArchive(
  archive: string,
  name: string,
  top: Descriptor,
  blobs: readonly Uint8Array[],
  others: readonly TarFile[] = [],
): void {
  const manifests = [{ ...top, annotations: { 'io.containerd.image.name': name } }];
  const byPath = new Map(blobs.map((blob) => [pathOf(descriptor('', blob)), blob]));
  mkdirSync(dirname(archive), { recursive: true });
  writeFileSync(
    archive,
    tar([
      { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
      { path: 'index.json', content: json({ schemaVersion: 2, mediaType: INDEX, manifests }) },
      ...others,
      ...Array.from(byPath, ([path, content]) => ({ path, content })),
    ]),
  );
}

function layerFile({ path, mode = 0o755, content, source, target }: ImageFile): TarFile | TarLink {
  const inside = path.replace(/^\/+/, '');
  if (target !== undefined) return { path: inside, target };
  if (content !== undefined) return { path: inside, mode, content };
  if (source !== undefined) return { path: inside, mode, content: readFileSync(source) };
  throw new Error(`${path}: neither content nor source nor target`);
}

/** The header has neither a time nor the system that compressed it (RFC 1952: byte 9; 255 is "unknown"). */
function gzip(bytes: Uint8Array): Buffer {
  const compressed = gzipSync(bytes);
  compressed[9] = 255;
  return compressed;
}

function descriptor(mediaType: string, blob: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(blob), size: blob.length };
}

function digestOf(blob: Uint8Array): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`;
}

function pathOf({ digest }: Descriptor): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
