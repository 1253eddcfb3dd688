/**
 * `make images`: dist/images/*.tar, OCI archives of the operator and of vault-env for this machine's architecture,
 * built without a container engine. Any tool that copies images can push them (skopeo, crane), and containerd can
 * import them.
 *
 * The operator's image contains only what the process needs: Node, its shared libraries (from this machine), the bundle
 * and the CRD. No shell, no package manager. That of vault-env contains one file.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

import { buildImage, type Image, type ImageFile } from './image.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
// the nonroot user of distroless images
const USER = '65532:65532';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** Builds the image of the operator from the output of `make build`; `folder` is where its archive goes. */
export function operatorImage(folder: string, name = `vault-injection-operator:${version}`): Image {
  const node = realpathSync(process.execPath);
  const libraries = execFileSync('ldd', [node], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  const files: ImageFile[] = [
    { path: '/node', source: node },
    ...libraries.map((path) => ({ path, source: realpathSync(path) })),
    ...['operator.mjs', 'vaultinjectionpolicies.yaml'].map((file) => ({
      path: `/${file}`,
      mode: 0o444,
      source: join(dist, file),
    })),
    { path: '/LICENSES.txt', mode: 0o444, source: join(dist, 'operator.mjs.LEGAL.txt') },
  ];
  const config = { entrypoint: ['/node', '/operator.mjs'], user: USER };
  return buildImage({ name, files, config }, join(folder, 'vault-injection-operator.tar'));
}

/** Builds the image that is injected into workloads. */
export function vaultEnvImage(folder: string, name = `vault-env:${version}`): Image {
  const files = [{ path: '/vault-env', mode: 0o555, source: join(dist, 'vault-env') }];
  return buildImage({ name, files, config: { entrypoint: ['/vault-env'], user: USER } }, join(folder, 'vault-env.tar'));
}

if (import.meta.main) {
  const folder = join(dist, 'images');
  mkdirSync(folder, { recursive: true });
  for (const { name, archive, digest } of [operatorImage(folder), vaultEnvImage(folder)]) {
    process.stdout.write(`${name}\n  ${archive}\n  ${digest}\n`);
  }
}
