/**
 * `make images`: dist/images/, OCI archives of the operator and of vault-env for amd64 and arm64, with bills of materials
 * and checksums. It needs no container engine, and neither Linux nor a machine of these architectures (ADR 36).
 *
 * The operator's image contains only what the process needs: Node, its shared libraries, the bundle, the CRD and
 * licences. No shell, no package manager. That of vault-env contains one program and its licences.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import type { BundledPackage } from './bundled.ts';
import { imageName, DEFAULT_PREFIX } from './image-name.ts';
import { buildMultiImage, type ImageSpec, type MultiImage } from './image.ts';
import { labelsOf, releaseFacts, type ReleaseFacts } from './release-facts.ts';
import { ARCHITECTURES, pins, type Architecture } from './runtime/pins.ts';
import { runtimeFiles } from './runtime/runtime.ts';
import { bundledParts, goParts, runtimeParts, sbom, type Part } from './sbom.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
// the nonroot user of distroless images
const USER = '65532:65532';

const licences = [
  { path: '/licenses/vault-injection-operator', mode: 0o444, source: join(root, 'LICENSE') },
  { path: '/licenses/notice', mode: 0o444, source: join(root, 'NOTICE') },
];

/** Resolves with the operator's image, from the output of `make build`. */
export async function operatorSpec(
  name: string,
  architecture: Architecture,
  facts: ReleaseFacts = releaseFacts(root, {}),
): Promise<ImageSpec> {
  const title = 'vault-injection-operator';
  const description = 'Puts Vault secrets into the environment of programs on Kubernetes, by policy';
  return {
    name,
    architecture,
    compress: true,
    created: facts.created,
    base: await runtimeFiles(architecture),
    files: [
      ...['operator.mjs', 'tracing.mjs', 'vaultinjectionpolicies.yaml'].map((file) => ({
        path: `/${file}`,
        mode: 0o444,
        source: join(dist, file),
      })),
      ...licences,
      { path: '/licenses/bundled', mode: 0o444, source: join(dist, 'bundled-licenses.txt') },
    ],
    config: {
      entrypoint: ['/node', '/operator.mjs'],
      user: USER,
      labels: labelsOf({ title, description }, facts),
    },
  };
}

/** Returns the image that is injected into workloads. */
export function vaultEnvSpec(
  name: string,
  architecture: Architecture,
  facts: ReleaseFacts = releaseFacts(root, {}),
): ImageSpec {
  const title = 'vault-env';
  const description = 'Resolves references to Vault in its environment, and becomes the program';
  return {
    name,
    architecture,
    compress: true,
    created: facts.created,
    files: [
      { path: '/vault-env', mode: 0o555, source: join(dist, `vault-env-linux-${architecture}`) },
      ...licences,
      { path: '/licenses/go', mode: 0o444, source: join(root, 'build/runtime/go-license.txt') },
    ],
    config: { entrypoint: ['/vault-env'], user: USER, labels: labelsOf({ title, description }, facts) },
  };
}

/** Writes everything into a folder, which it empties first; resolves with the images. */
async function makeImages(folder: string, env: NodeJS.ProcessEnv): Promise<readonly MultiImage[]> {
  const facts = releaseFacts(root, env);
  const prefix = env.IMAGE_PREFIX ?? DEFAULT_PREFIX;
  const nameOf = (name: string): string => imageName(prefix === '' ? DEFAULT_PREFIX : prefix, name, facts.version);
  const operatorName = nameOf('vault-injection-operator');
  const vaultEnvName = nameOf('vault-env');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const operator = buildMultiImage(
    await Promise.all(ARCHITECTURES.map((architecture) => operatorSpec(operatorName, architecture, facts))),
    join(folder, 'vault-injection-operator.tar'),
  );
  const vaultEnv = buildMultiImage(
    ARCHITECTURES.map((architecture) => vaultEnvSpec(vaultEnvName, architecture, facts)),
    join(folder, 'vault-env.tar'),
  );
  const bundled = bundledParts(bundledPackages());
  writeSboms(operator, (architecture) => [...runtimeParts(pins, architecture), ...bundled], facts);
  writeSboms(vaultEnv, (architecture) => goParts(goVersion(join(dist, `vault-env-linux-${architecture}`))), facts);
  const made = [operator, vaultEnv];
  writeDigests(folder, made);
  writeChecksums(folder);
  return made;
}

function writeSboms(
  { images }: MultiImage,
  partsOf: (architecture: Architecture) => readonly Part[],
  facts: ReleaseFacts,
): void {
  for (const image of images) {
    const parts = partsOf(image.architecture as Architecture);
    writeFileSync(image.archive.replace(/\.tar$/, '.cdx.json'), sbom(image, parts, facts));
  }
}

/** What a release pushes, signs and pins: names and digests, as JSON. */
function writeDigests(folder: string, made: readonly MultiImage[]): void {
  const digests = made.map(({ name, archive, digest, images }) => ({
    name,
    digest,
    archive: basename(archive),
    platforms: Object.fromEntries(images.map((image) => [`linux/${image.architecture}`, image.digest])),
  }));
  writeFileSync(join(folder, 'images.json'), `${JSON.stringify(digests, undefined, 2)}\n`);
}

/** As `sha256sum --check` reads it. */
function writeChecksums(folder: string): void {
  const lines = readdirSync(folder)
    .sort()
    .map(
      (file) =>
        `${createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex')}  ${file}\n`,
    );
  writeFileSync(join(folder, 'SHA256SUMS'), lines.join(''));
}

/** Returns which Go built an executable. */
function goVersion(program: string): string {
  const said = execFileSync('go', ['version', program], { encoding: 'utf8' });
  return /go\d\S*$/m.exec(said.trim())?.[0] ?? 'unknown';
}

function bundledPackages(): readonly BundledPackage[] {
  return JSON.parse(readFileSync(join(dist, 'bundled.json'), 'utf8')) as BundledPackage[];
}

if (import.meta.main) {
  const folder = join(dist, 'images');
  for (const { name, archive, digest, images } of await makeImages(folder, process.env)) {
    process.stdout.write(`${name}\n  ${digest}  ${archive}\n`);
    for (const image of images) process.stdout.write(`  ${image.digest}  linux/${image.architecture}\n`);
  }
  process.stdout.write(`checksums: ${join(folder, 'SHA256SUMS')}\n`);
}
