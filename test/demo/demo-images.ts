/** The operator's images, as `make images` makes them, for the architectures of a cluster's nodes. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { imageName, DEFAULT_PREFIX } from '../../build/image-name.ts';
import { buildImage, buildMultiImage, type ImageSpec } from '../../build/image.ts';
import { operatorSpec, vaultEnvSpec } from '../../build/images.ts';
import { ARCHITECTURES, type Architecture } from '../../build/runtime/pins.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface ImageNames {
  readonly operator: string;
  readonly vaultEnv: string;
}

/** @param prefix as IMAGE_PREFIX: host and path of a registry; '' for names that no registry is asked for */
export function imageNames(prefix: string): ImageNames {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const nameOf = (name: string): string => imageName(prefix === '' ? DEFAULT_PREFIX : prefix, name, version);
  return { operator: nameOf('vault-injection-operator'), vaultEnv: nameOf('vault-env') };
}

/** Returns the architectures, each once; throws if there are no images for one of them. */
export function architecturesOf(names: readonly string[]): Architecture[] {
  const other = names.find((name) => !(ARCHITECTURES as readonly string[]).includes(name));
  if (other !== undefined)
    throw new Error(`a node has the architecture ${other}, and there are only images for ${ARCHITECTURES.join(', ')}`);
  return ARCHITECTURES.filter((architecture) => names.includes(architecture));
}

/**
 * Builds the archives of both images into `folder`; resolves with their paths. Nothing is compressed: it is not sent far.
 * @param node runs a program of this repository
 */
export async function buildArchives(
  names: ImageNames,
  architectures: readonly Architecture[],
  folder: string,
  node: (program: string) => Promise<unknown>,
): Promise<string[]> {
  await node(join(ROOT, 'build/bundle.ts'));
  mkdirSync(folder, { recursive: true });
  const operator = await Promise.all(architectures.map((each) => operatorSpec(names.operator, each)));
  const vaultEnv = architectures.map((each) => vaultEnvSpec(names.vaultEnv, each));
  return [
    write(operator, join(folder, 'vault-injection-operator.tar')),
    write(vaultEnv, join(folder, 'vault-env.tar')),
  ];
}

/** An archive with one architecture is known to more programs than one with several. */
function write(specs: readonly ImageSpec[], archive: string): string {
  const uncompressed = specs.map((spec) => ({ ...spec, compress: false }));
  const [only] = uncompressed;
  if (only === undefined) throw new Error('the cluster has no nodes');
  return (uncompressed.length === 1 ? buildImage(only, archive) : buildMultiImage(uncompressed, archive)).archive;
}
