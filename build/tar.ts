import { dirname } from 'node:path';

/** A file of an archive; its path neither begins nor ends with a slash. */
export interface TarFile {
  readonly path: string;
  /** Permission bits; default: 0o644. */
  readonly mode?: number;
  readonly content: Uint8Array | string;
}

/** A symbolic link. */
export interface TarLink {
  readonly path: string;
  readonly target: string;
}

const BLOCK = 512;

/**
 * Returns a POSIX ustar archive of these files and the directories above them, all owned by root and from 1970: the
 * same files yield the same bytes.
 */
export function tar(files: readonly (TarFile | TarLink)[]): Buffer {
  const directories = [...new Set(files.flatMap(({ path }) => parents(path)))].sort();
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  return Buffer.concat([
    ...directories.map((path) => header(`${path}/`, 0o755, 0, '5')),
    ...sorted.flatMap((file) => {
      if ('target' in file) return [header(file.path, 0o777, 0, '2', file.target)];
      const data = Buffer.from(file.content);
      return [header(file.path, file.mode ?? 0o644, data.length, '0'), data, Buffer.alloc(padding(data.length))];
    }),
    Buffer.alloc(2 * BLOCK),
  ]);
}

/** Returns the contents of the files in an archive from `tar`, by path. */
export function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0;) {
    const field = (from: number, width: number): string =>
      archive.toString('utf8', at + from, at + from + width).replace(/\0[^]*$/, '');
    const size = parseInt(field(124, 12), 8);
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (field(156, 1) === '0') files.set(field(0, 100), content);
    at += BLOCK + size + padding(size);
  }
  return files;
}

function parents(path: string): string[] {
  const parent = dirname(path);
  return parent === '.' ? [] : [...parents(parent), parent];
}

function padding(length: number): number {
  return (BLOCK - (length % BLOCK)) % BLOCK;
}

// Fields and offsets: POSIX.1-2017, pax, "ustar Interchange Format".
function header(path: string, mode: number, size: number, type: '0' | '2' | '5', target = ''): Buffer {
  const block = Buffer.alloc(BLOCK);
  for (const name of [path, target]) {
    if (Buffer.byteLength(name) > 100) throw new Error(`a path of more than 100 bytes: ${name}`);
  }
  block.write(path, 0);
  const octal = (value: number, at: number, width: number): number =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  octal(mode, 100, 8);
  octal(0, 108, 8); // user
  octal(0, 116, 8); // group
  octal(size, 124, 12);
  octal(0, 136, 12); // time
  block.write(' '.repeat(8), 148); // the checksum counts its own field as blanks
  block.write(type, 156);
  block.write(target, 157, 100);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
