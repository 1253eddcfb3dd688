import { readFileSync } from 'node:fs';

import type { MultiImage } from '../../build/image.ts';
import { untar } from '../../build/tar.ts';

/** Reads from an archive what `buildMultiImage` returned when it wrote it. */
export function imageIn(archive: string): MultiImage {
  const files = untar(readFileSync(archive));
  interface Index {
    manifests: { digest: string; annotations: Record<string, string>; platform: { architecture: string } }[];
  }
  const indexAt = (path: string): Index => JSON.parse(String(files.get(path))) as Index;
  const [top] = indexAt('index.json').manifests;
  const { digest = '', annotations: { 'io.containerd.image.name': name = '' } = {} } = top ?? {};
  const images = indexAt(`blobs/${digest.replace(':', '/')}`).manifests.map((one) => ({
    name,
    digest: one.digest,
    architecture: one.platform.architecture,
    archive: archive.replace(/\.tar$/, `-${one.platform.architecture}.tar`),
  }));
  return { name, digest, archive, images };
}
