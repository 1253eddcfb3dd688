import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';

import { untar } from '../tar.ts';

// its types name what Node does not find in its CommonJS
const { XzReadableStream } = createRequire(import.meta.url)('xz-decompress') as typeof import('xz-decompress');

const MAGIC = '!<arch>\n';
const HEADER = 60;

/** Resolves with the files of a Debian package by their paths, which do not begin with a slash; without links. */
export async function filesOfDebianPackage(archive: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const data = memberOf(archive, 'data.tar.xz');
  const tar = await buffer(new XzReadableStream(new Blob([new Uint8Array(data)]).stream()));
  return new Map(Array.from(untar(tar), ([path, content]) => [path.replace(/^\.\//, ''), content]));
}

/** Format: deb(5), which is ar(5): a header of 60 bytes has the name in its first 16, the size in 10 at offset 48. */
function memberOf(archive: Buffer, name: string): Buffer {
  if (archive.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('this is no Debian package');
  for (let at = MAGIC.length; at + HEADER <= archive.length;) {
    const field = (from: number, width: number): string =>
      archive.toString('latin1', at + from, at + from + width).trimEnd();
    const size = Number(field(48, 10));
    const content = archive.subarray(at + HEADER, at + HEADER + size);
    if (field(0, 16).replace(/\/$/, '') === name) return content;
    at += HEADER + size + (size % 2); // members begin at even offsets
  }
  throw new Error(`the Debian package has no ${name}`);
}
