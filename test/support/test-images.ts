/** The images that tests and demo run, made from Go sources of this repository and from the machine's own files. */
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildImage, type Image, type ImageFile } from '../../build/image.ts';
import { VAULT_ENV_LINKER } from '../../build/go-modules.ts';
import { goBuild, type Log } from '../../build/tools/go-build.ts';
import { ensureTools } from '../../build/tools/tools.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const TOOLS = join(REPOSITORY, 'test/tools');

/** localhost/vault-env:1, as a release makes it: the executable alone, run as UID 65532. */
export async function injectorImage(dir: string): Promise<Image> {
  const source = join(dir, 'vault-env');
  await goBuild(join(REPOSITORY, 'vault-env'), '.', source, [`-ldflags=${VAULT_ENV_LINKER}`]);
  const config = { entrypoint: ['/vault-env'], user: '65532:65532' };
  return buildImage(
    { name: 'localhost/vault-env:1', files: [{ path: '/vault-env', mode: 0o555, source }], config },
    join(dir, 'vault-env.tar'),
  );
}

/** localhost/pause:1, which holds a pod's sandbox. */
export function pauseImage(dir: string): Promise<Image> {
  return scratchImage('pause', dir);
}

/** localhost/probe:1: nothing but test/tools/probe, a static program that prints what it was started with. */
export function probeImage(dir: string): Promise<Image> {
  return scratchImage('probe', dir);
}

/**
 * A static busybox, also under the names of the commands that scripts want; CMD is sh.
 * @param options.name of the image; default: localhost/busybox:1
 */
export async function busyboxImage(
  dir: string,
  { name = 'localhost/busybox:1', ...options }: { readonly name?: string; readonly log?: Log } = {},
): Promise<Image> {
  const { busybox } = await ensureTools(['busybox'], options);
  const commands = ['sh', 'cat', 'echo', 'env', 'false', 'id', 'ls', 'mkdir', 'printenv', 'sleep', 'touch', 'true'];
  const files: ImageFile[] = [
    { path: '/bin/busybox', source: busybox.path },
    // busybox decides what to be by the name that it is called by
    ...commands.map((command) => ({ path: `/bin/${command}`, target: 'busybox' })),
    { path: '/etc/passwd', mode: 0o644, content: 'root:x:0:0:root:/:/bin/sh\n' },
  ];
  const config = { cmd: ['sh'], env: ['PATH=/bin'] };
  return buildImage({ name, files, config }, join(dir, 'busybox.tar'));
}

/** localhost/glibc:1: this machine's bash, with the shared libraries that it asks for; CMD is bash. */
export function glibcImage(dir: string): Image {
  const bash = '/bin/bash';
  const libraries = execFileSync('ldd', [bash], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  const files = [bash, ...libraries].map((path) => ({ path, source: realpathSync(path) }));
  const config = { cmd: ['bash'], env: ['PATH=/bin'] };
  return buildImage({ name: 'localhost/glibc:1', files, config }, join(dir, 'glibc.tar'));
}

async function scratchImage(name: 'pause' | 'probe', dir: string): Promise<Image> {
  const source = join(dir, name);
  await goBuild(join(TOOLS, name), '.', source, ['-ldflags=-s -w']);
  const config = { entrypoint: [`/${name}`] };
  return buildImage(
    { name: `localhost/${name}:1`, files: [{ path: `/${name}`, source }], config },
    join(dir, `${name}.tar`),
  );
}
