/** Pushes OCI archives, as image.ts writes them, to a registry: what `docker push` and `docker manifest push` do. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { Image } from '../../build/image.ts';
import { untar } from '../../build/tar.ts';

export interface PushTarget {
  /** Of the registry, without a slash at the end. */
  readonly url: string;
  readonly ca: string;
  /** Value of the Authorization header to push with. */
  readonly authorization?: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

/** Pushes one image under a tag; resolves with the digest of its manifest. */
export function pushImage(target: PushTarget, repository: string, tag: string, image: Image): Promise<string> {
  return withPusher(target, repository, (pusher) => pusher.image(image, tag));
}

/** Pushes images for several architectures under one tag; resolves with the digest of the index. */
export function pushIndex(
  target: PushTarget,
  repository: string,
  tag: string,
  images: readonly { readonly image: Image; readonly architecture: string }[],
): Promise<string> {
  return withPusher(target, repository, async (pusher) => {
    const manifests: object[] = [];
    for (const { image, architecture } of images) {
      const digest = await pusher.image(image, image.digest);
      const size = manifestOf(image).bytes.length;
      const { mediaType } = manifestOf(image).manifest;
      manifests.push({ mediaType, digest, size, platform: { os: 'linux', architecture } });
    }
    return pusher.manifest(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })), INDEX, tag);
  });
}

async function withPusher<T>(
  target: PushTarget,
  repository: string,
  use: (pusher: ReturnType<typeof pusherFor>) => Promise<T>,
): Promise<T> {
  const agent = new Agent({ connect: { ca: target.ca } });
  try {
    return await use(pusherFor(target, repository, agent));
  } finally {
    await agent.destroy();
  }
}

function pusherFor({ url, authorization }: PushTarget, repository: string, dispatcher: Agent) {
  const headers = authorization === undefined ? {} : { authorization };
  const call = async (
    method: 'POST' | 'PUT',
    to: string | URL,
    status: number,
    body: Buffer | null,
    type = '',
  ): Promise<string> => {
    const contentType = type === '' ? {} : { 'content-type': type };
    const options = { method, dispatcher, body, headers: { ...headers, ...contentType } };
    const response = await request(to, options);
    const text = await response.body.text();
    if (response.statusCode !== status) throw new Error(`${method} ${String(to)}: ${response.statusCode} ${text}`);
    return String(response.headers.location ?? '');
  };
  const blob = async (digest: string, bytes: Buffer): Promise<void> => {
    const upload = new URL(await call('POST', `${url}/v2/${repository}/blobs/uploads/`, 202, null), url);
    upload.searchParams.set('digest', digest);
    await call('PUT', upload, 201, bytes, 'application/octet-stream');
  };
  const manifest = async (bytes: Buffer, type: string, name: string): Promise<string> => {
    await call('PUT', `${url}/v2/${repository}/manifests/${name}`, 201, bytes, type);
    return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  };
  const image = async (archive: Image, name: string): Promise<string> => {
    const { files, bytes, manifest: document } = manifestOf(archive);
    for (const { digest } of [document.config, ...document.layers]) await blob(digest, blobIn(files, digest));
    return manifest(bytes, document.mediaType, name);
  };
  return { manifest, image };
}

function manifestOf({ archive, digest }: Image): { files: Map<string, Buffer>; bytes: Buffer; manifest: Manifest } {
  const files = untar(readFileSync(archive));
  const bytes = blobIn(files, digest);
  return { files, bytes, manifest: JSON.parse(bytes.toString()) as Manifest };
}

function blobIn(files: Map<string, Buffer>, digest: string): Buffer {
  const bytes = files.get(`blobs/${digest.replace(':', '/')}`);
  if (bytes === undefined) throw new Error(`the archive has no ${digest}`);
  return bytes;
}
