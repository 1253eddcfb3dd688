import type { Metafile } from 'esbuild';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** An npm package of which the operator's file has code. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, as its package.json says. */
  readonly license: string;
  /** Path from the root of the repository. */
  readonly folder: string;
}

interface PackageJson {
  readonly name: string;
  readonly version: string;
  /** Old packages have a list, of which one may choose. */
  readonly license?: string | readonly { readonly type: string }[];
}

const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;

/** Returns the packages that a bundle has code of, sorted by folder, from what esbuild says about it. */
export function bundledPackages({ outputs }: Pick<Metafile, 'outputs'>, root: string): readonly BundledPackage[] {
  const files = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  const folders = new Set(files.flatMap((file) => PACKAGE.exec(file) ?? []));
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(root, folder, 'package.json'), 'utf8'),
    ) as PackageJson;
    if (license === undefined) throw new Error(`${folder}/package.json names no license`);
    return { name, version, license: typeof license === 'string' ? license : expressionOf(license), folder };
  });
}

/** Without those that have no SPDX identifier, such as "Public Domain": it is enough to choose another one. */
function expressionOf(choice: readonly { readonly type: string }[]): string {
  const known = choice.map(({ type }) => type).filter((type) => /^[\w.+-]+$/.test(type));
  return known.length > 1 ? `(${known.join(' OR ')})` : (known[0] ?? 'NONE');
}

/** Returns the licence and notice texts of packages, one after the other; throws if a package has none. */
export function noticesOf(packages: readonly BundledPackage[], root: string): string {
  return packages
    .map(({ name, version, license, folder }) => {
      const texts = textsIn(join(root, folder));
      if (texts.length === 0) throw new Error(`${folder} has no text of its license (${license})`);
      return [`${name} ${version} (${license})`, '='.repeat(80), ...texts].join('\n\n');
    })
    .join('\n\n\n');
}

function textsIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
}
