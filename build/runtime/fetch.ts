/** Fetches pinned archives into the user's cache, once. Nothing is taken whose hash is another one than the pin's. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheDirectory } from '../tools/table.ts';
import { archiveName, type Architecture, type DebianPin, type NodePin } from './pins.ts';

/** `sha512-BASE64`, as npm writes it, or `sha256-BASE64`. */
type Integrity = string;

/** Resolves with the npm package that has Node.js for an architecture, as a .tgz. npm fetches it. */
export function nodeArchive({ version, packages }: NodePin, architecture: Architecture): Promise<Buffer> {
  const { name, integrity } = packages[architecture];
  return cached(`${name}-${version}.tgz`, integrity, (folder) => {
    const args = ['pack', '--silent', `${name}@${version}`];
    execFileSync('npm', args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: process.platform === 'win32',
    });
    return readFileSync(join(folder, `${name}-${version}.tgz`));
  });
}

/**
 * Resolves with a Debian package. It comes from the mirror in DEBIAN_MIRROR, else from the mirrors that this machine's
 * apt uses, if it has one; otherwise the error says what to set.
 */
export function debianArchive(
  pin: DebianPin,
  architecture: Architecture,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Buffer> {
  const name = archiveName(pin, architecture);
  const integrity = `sha256-${Buffer.from(pin.sha256[architecture], 'hex').toString('base64')}`;
  const fetch = async (folder: string): Promise<Buffer> => {
    const mirror = env.DEBIAN_MIRROR;
    if (mirror !== undefined && mirror !== '') return download(`${withSlash(mirror)}${pin.folder}/${name}`);
    const failures: unknown[] = [];
    for (const known of mirrorsOfApt()) {
      try {
        return downloadByApt(`${withSlash(known)}${pin.folder}/${name}`, join(folder, name), pin.sha256[architecture]);
      } catch (error) {
        failures.push(error);
      }
    }
    throw new Error(
      failures.length === 0
        ? `this machine knows no Debian mirror to fetch ${name} from: set DEBIAN_MIRROR to the URL of one (https://www.debian.org/mirror/list)`
        : `no mirror that apt knows has ${name}: set DEBIAN_MIRROR to the URL of one that keeps old versions`,
      { cause: failures.at(-1) },
    );
  };
  return cached(name, integrity, fetch, env);
}

/** Returns what `fetch` gives, and keeps it in the cache below this name; throws if its hash is not the expected one. */
async function cached(
  name: string,
  integrity: Integrity,
  fetch: (folder: string) => Buffer | Promise<Buffer>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Buffer> {
  const folder = join(cacheDirectory(env), 'image-inputs');
  const path = join(folder, name);
  if (existsSync(path)) {
    const bytes = readFileSync(path);
    // a cache that something else has written to is fetched again
    if (integrityOf(bytes, integrity) === integrity) return bytes;
  }
  mkdirSync(folder, { recursive: true });
  const own = mkdtempSync(join(folder, '.fetch-'));
  try {
    const bytes = await fetch(own);
    const found = integrityOf(bytes, integrity);
    if (found !== integrity) {
      throw new Error(`${name} is not what build/runtime/pins.json names: its hash is ${found}, not ${integrity}`);
    }
    writeFileSync(join(own, 'complete'), bytes);
    renameSync(join(own, 'complete'), path);
    return bytes;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function integrityOf(bytes: Buffer, like: Integrity): Integrity {
  const [algorithm = ''] = like.split('-');
  return `${algorithm}-${createHash(algorithm).update(bytes).digest('base64')}`;
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`DEBIAN_MIRROR: ${url} answers ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

/** The helper of apt uses its proxy and credentials, and neither lists nor rights. */
function downloadByApt(url: string, path: string, sha256: string): Buffer {
  execFileSync('/usr/lib/apt/apt-helper', ['download-file', url, path, `SHA256:${sha256}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return readFileSync(path);
}

/** What `update` would ask, which apt knows without root and before it has ever asked. */
function mirrorsOfApt(): readonly string[] {
  if (!existsSync('/usr/lib/apt/apt-helper')) return [];
  const args = ['update', '--print-uris'];
  return mirrorsIn(execFileSync('apt-get', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Returns the mirrors in what `apt-get update --print-uris` prints: 'URL/dists/SUITE/InRelease' NAME 0. */
export function mirrorsIn(uris: string): readonly string[] {
  return [...new Set(Array.from(uris.matchAll(/^'(\S+?)dists\/[^']*InRelease'/gm), ([, mirror = '']) => mirror))];
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
