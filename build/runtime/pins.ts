/**
 * What the operator's image has beside the operator: Node.js, from its npm packages, and the shared libraries that it
 * needs, from Debian packages. Each archive is pinned by its hash, so it does not matter where it comes from (ADR 36).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export interface NodePin {
  readonly version: string;
  readonly license: string;
  readonly packages: Readonly<Record<Architecture, { readonly name: string; readonly integrity: string }>>;
}

export interface DebianPin {
  readonly package: string;
  readonly source: string;
  readonly version: string;
  readonly license: string;
  /** The package's folder on every Debian mirror. */
  readonly folder: string;
  readonly sha256: Readonly<Record<Architecture, string>>;
  /** Paths in the image by paths in the package; TRIPLET stands for the architecture's, such as x86_64-linux-gnu. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Pins {
  readonly node: NodePin;
  readonly debian: readonly DebianPin[];
}

/** Debian's names for the architectures' directories, and where programs look for their loader (each psABI). */
export const PLATFORM: Readonly<Record<Architecture, { readonly triplet: string; readonly loader: string }>> = {
  amd64: { triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
};

export const pins = JSON.parse(readFileSync(join(import.meta.dirname, 'pins.json'), 'utf8')) as Pins;

/** Returns the name of a Debian package's archive. */
export function archiveName(pin: DebianPin, architecture: Architecture): string {
  return `${pin.package}_${pin.version}_${architecture}.deb`;
}
