import { posix } from 'node:path';
import { gunzipSync } from 'node:zlib';

import type { ImageFile } from '../image.ts';
import { untar } from '../tar.ts';
import { filesOfDebianPackage } from './debian-package.ts';
import { debianArchive, nodeArchive } from './fetch.ts';
import { pins, PLATFORM, type Architecture, type DebianPin, type Pins } from './pins.ts';

/** How the pinned archives are to be had: from their registries and the cache, or from a test. */
export interface Archives {
  readonly node: (architecture: Architecture) => Promise<Buffer>;
  readonly debian: (pin: DebianPin, architecture: Architecture) => Promise<Buffer>;
}

const fromRegistries: Archives = {
  node: (architecture) => nodeArchive(pins.node, architecture),
  debian: debianArchive,
};

/**
 * Resolves with what the operator needs to run on a bare kernel: /node, the shared libraries that it is linked with where
 * its loader looks for them, and the licences of both below /licenses.
 */
export async function runtimeFiles(
  architecture: Architecture,
  from: Archives = fromRegistries,
  { debian }: Pick<Pins, 'debian'> = pins,
): Promise<readonly ImageFile[]> {
  const node = untar(gunzipSync(await from.node(architecture)));
  const files: ImageFile[] = [
    { path: '/node', mode: 0o755, content: required(node, 'package/bin/node') },
    { path: '/licenses/node', mode: 0o444, content: required(node, 'package/LICENSE') },
    // Without this file glibc asks DNS first, also for what is in /etc/hosts.
    { path: '/etc/nsswitch.conf', mode: 0o444, content: 'hosts: files dns\n' },
    { path: '/etc/passwd', mode: 0o444, content: 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' },
    { path: '/etc/group', mode: 0o444, content: 'nonroot:x:65532:\n' },
  ];
  for (const pin of debian) {
    const content = await filesOfDebianPackage(await from.debian(pin, architecture));
    for (const [source, target] of Object.entries(pin.files)) {
      const path = `/${placed(target, architecture)}`;
      const mode = path.startsWith('/licenses/') ? 0o444 : 0o755;
      files.push({ path, mode, content: required(content, placed(source, architecture)) });
    }
  }
  return files;
}

function placed(path: string, architecture: Architecture): string {
  const { triplet, loader } = PLATFORM[architecture];
  // in the package the loader is beside the libraries, and a link to it where programs look
  if (path === 'LOADER') return loader;
  return path.replace('TRIPLET', triplet).replace('LOADER', posix.basename(loader));
}

function required(files: ReadonlyMap<string, Buffer>, path: string): Buffer {
  const content = files.get(path);
  if (content === undefined) throw new Error(`${path} is not in the archive that build/runtime/pins.json names`);
  return Buffer.from(content); // a copy: what is left of an unpacked archive can be freed (200 MB of Node's)
}
