/** Container images without a registry, a daemon or root: OCI archives that `ctr images import` accepts. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { tar, type TarFile, type TarLink } from './tar.ts';

export interface ImageSpec {
  /** As a pod names it, with host and tag: localhost/probe:1 */
  readonly name: string;
  readonly files: readonly ImageFile[];
  /** Go's name for it; default: this machine's. */
  readonly architecture?: string;
  readonly config?: {
    readonly entrypoint?: readonly string[];
    readonly cmd?: readonly string[];
    readonly user?: string;
    readonly env?: readonly string[];
    readonly workingDir?: string;
  };
}

/** A file of the image's one layer: its content, a local file to take it from, or its link target. */
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

/** Writes the archive of an image; returns the image. */
export function buildImage(spec: ImageSpec, archive: string): Image {
  const layer = tar(spec.files.map(layerFile));
  const config = json({
    architecture: spec.architecture ?? architecture(),
    os: 'linux',
    config: {
      Entrypoint: spec.config?.entrypoint,
      Cmd: spec.config?.cmd,
      User: spec.config?.user,
      Env: spec.config?.env,
      WorkingDir: spec.config?.workingDir,
    },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: { 'io.containerd.image.name': spec.name },
      },
    ],
  });
  mkdirSync(dirname(archive), { recursive: true });
  writeFileSync(
    archive,
    tar([
      { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
      { path: 'index.json', content: index },
      ...[layer, config, manifest].map((blob) => ({ path: blobPath(blob), content: blob })),
    ]),
  );
  return { name: spec.name, archive, digest: digestOf(manifest) };
}

function layerFile({ path, mode = 0o755, content, source, target }: ImageFile): TarFile | TarLink {
  const inside = path.replace(/^\/+/, '');
  if (target !== undefined) return { path: inside, target };
  if (content !== undefined) return { path: inside, mode, content };
  if (source !== undefined) return { path: inside, mode, content: readFileSync(source) };
  throw new Error(`${path}: neither content nor source nor target`);
}

function descriptor(mediaType: string, blob: Uint8Array): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digestOf(blob), size: blob.length };
}

function digestOf(blob: Uint8Array): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`;
}

function blobPath(blob: Uint8Array): string {
  return `blobs/${digestOf(blob).replace(':', '/')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Returns Go's name, which OCI uses, for this machine's architecture. */
function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
