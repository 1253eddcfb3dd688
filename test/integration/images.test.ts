import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { expect } from 'chai';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import type { Image, MultiImage } from '../../build/image.ts';
import { untar } from '../../build/tar.ts';
import { cacheDirectory } from '../../build/tools/table.ts';
import { findTool } from '../../build/tools/tools.ts';
import { parseReference } from '../../webhook/image-config/reference.ts';
import { imageIn } from '../support/image-archive.ts';
import { startContainerd, type Containerd } from '../support/containerd.ts';
import { pushIndex } from '../support/registry-push.ts';
import { startRegistry, type LocalRegistry } from '../support/registry.ts';

const ROOT = join(import.meta.dirname, '../..');
const PREFIX = 'registry.example.com/team';
const FACTS = { IMAGE_PREFIX: PREFIX, SOURCE_DATE_EPOCH: '1764201600', IMAGE_REVISION: 'abc' };
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/** Copies what the build reads; the packages are a link. */
function checkout(dir: string): string {
  mkdirSync(dir);
  const entries = [
    'build',
    'core',
    'kube',
    'webhook',
    'operator',
    'crds',
    'vault-env',
    'package.json',
    'tsconfig.json',
  ];
  for (const entry of [...entries, 'LICENSE', 'NOTICE'])
    cpSync(join(ROOT, entry), join(dir, entry), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  return dir;
}

/** Makes the images in a checkout as `make images` does; returns what it printed. */
function build(dir: string, umask: string, env: Readonly<Record<string, string>>): string {
  const steps = '"$0" build/bundle.ts && exec "$0" build/images.ts';
  return execFileSync('sh', ['-c', `umask ${umask} && ${steps}`, process.execPath], {
    cwd: dir,
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(cacheDirectory(), '..'), ...FACTS, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** What a kubelet asks its container runtime for when a pod names this image. */
function askedFor(image: string): string {
  const { registry = '', repository = '', version = '' } = parseReference(image) ?? {};
  return `${registry}/${repository}:${version}`;
}

/** Unpacks the layers of an image for one architecture. */
function unpack(image: Image, dir: string): void {
  mkdirSync(dir);
  const files = untar(readFileSync(image.archive));
  const manifest = JSON.parse(String(files.get(`blobs/${image.digest.replace(':', '/')}`))) as {
    layers: { digest: string }[];
  };
  for (const { digest } of manifest.layers) {
    const layer = gunzipSync(files.get(`blobs/${digest.replace(':', '/')}`) ?? expect.fail(digest));
    execFileSync('tar', ['-xf', '-', '-C', dir], { input: layer });
  }
}

describe('the images of make images', function () {
  this.timeout(1_200_000); // two builds, each with a compressed Node for two architectures
  const scratch = mkdtempSync(join(tmpdir(), 'images-'));
  let first: string;
  let printed: string;
  let operator: MultiImage;
  let vaultEnv: MultiImage;

  const outputs = (dir: string): string => readFileSync(join(dir, 'dist/images/SHA256SUMS'), 'utf8');

  before(() => {
    first = checkout(join(scratch, 'one'));
    printed = build(first, '022', {});
    operator = imageIn(join(first, 'dist/images/vault-injection-operator.tar'));
    vaultEnv = imageIn(join(first, 'dist/images/vault-env.tar'));
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  it('are printed with their digests', () => {
    for (const image of [operator, vaultEnv]) {
      expect(printed).to.include(`${image.name}\n  ${image.digest}`);
      for (const { digest, architecture } of image.images)
        expect(printed).to.include(`${digest}  linux/${architecture}`);
    }
  });

  it('are for amd64 and arm64, each with its own programs', () => {
    const machines = { amd64: 62, arm64: 183 }; // EM_X86_64 and EM_AARCH64 (elf.h)
    for (const [image, program] of [
      [operator, 'node'],
      [vaultEnv, 'vault-env'],
    ] as const) {
      expect(image.images.map(({ architecture }) => architecture)).to.deep.equal(['amd64', 'arm64']);
      for (const one of image.images) {
        const dir = join(scratch, `${program}-${one.architecture}`);
        unpack(one, dir);
        const machine = readFileSync(join(dir, program)).readUInt16LE(18);
        expect(machine).to.equal(machines[one.architecture as 'amd64' | 'arm64']);
      }
    }
  });

  it('have the same digests when they are built elsewhere, by somebody with other settings', () => {
    const second = checkout(join(scratch, 'another-folder'));
    // what a user may have set, and what must not get in
    build(second, '077', {
      TZ: 'Pacific/Apia',
      LC_ALL: 'C',
      GOFLAGS: '-ldflags=-X=main.version=other',
      GOAMD64: 'v3',
      GOARM64: 'v9.0',
      GOFIPS140: 'latest',
      GOEXPERIMENT: 'jsonv2',
    });
    expect(outputs(second)).to.equal(outputs(first));
  });

  it('come with checksums and bills of materials that are valid', async () => {
    const dir = join(first, 'dist/images');
    execFileSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: dir });
    const boms = globSync('*.cdx.json', { cwd: dir }).sort();
    expect(boms).to.deep.equal([
      'vault-env-amd64.cdx.json',
      'vault-env-arm64.cdx.json',
      'vault-injection-operator-amd64.cdx.json',
      'vault-injection-operator-arm64.cdx.json',
    ]);
    for (const file of boms) {
      const text = readFileSync(join(dir, file), 'utf8');
      expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), file).to.equal(null);
    }
    const { components } = JSON.parse(readFileSync(join(dir, boms[2] ?? ''), 'utf8')) as {
      components: { name: string }[];
    };
    expect(components.map(({ name }) => name)).to.include.members(['node', 'libc6', 'undici', 'ajv', 'pino']);
  });

  it('have the licenses of all that is in them', () => {
    const licenses = (program: string): string[] =>
      globSync('*', { cwd: join(scratch, `${program}-amd64/licenses`) }).sort();
    expect(licenses('vault-env')).to.deep.equal(['go', 'notice', 'vault-injection-operator']);
    expect(licenses('node')).to.deep.equal(['bundled', 'gcc', 'glibc', 'node', 'notice', 'vault-injection-operator']);
    const bundled = readFileSync(join(scratch, 'node-amd64/licenses/bundled'), 'utf8');
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of Object.keys(dependencies)) expect(bundled).to.match(new RegExp(`^${name} \\d`, 'm'));
  });

  it('have all that the Dockerfiles copy', () => {
    for (const file of globSync('build/docker/*.Dockerfile', { cwd: ROOT })) {
      const copies = readFileSync(join(ROOT, file), 'utf8').matchAll(/^COPY (?:--\S+ )*(.*) \S+$/gm);
      for (const source of [...copies].flatMap(([, sources = '']) => sources.split(' '))) {
        for (const architecture of ['amd64', 'arm64']) {
          const path = source.replace('${TARGETARCH}', architecture);
          expect(existsSync(join(first, path)), `${file}: ${path}`).to.be.true;
        }
      }
    }
  });

  describe('run', () => {
    /** In a root directory that has nothing but the image. */
    const inImage = (dir: string, ...command: readonly string[]): ReturnType<typeof spawnSync> =>
      spawnSync('unshare', ['--map-root-user', 'chroot', join(scratch, dir), ...command], {
        encoding: 'utf8',
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      });

    before(function () {
      if (spawnSync('unshare', ['--map-root-user', 'true']).status !== 0) {
        console.log('      skipped: this machine has no user namespaces');
        this.skip();
      }
    });

    it('on nothing but a kernel: the operator', () => {
      const { status, stdout, stderr } = inImage(`node-${ARCHITECTURE}`, '/node', '/operator.mjs', '--help');
      expect(stderr).to.equal('');
      expect(stdout).to.include('--injector-image');
      expect(status).to.equal(0);
    });

    it('on nothing but a kernel: what the operator loads where traces are on', () => {
      const load = "import('/tracing.mjs').then(({ createSdk }) => console.log(typeof createSdk))";
      const { status, stdout, stderr } = inImage(`node-${ARCHITECTURE}`, '/node', '-e', load);
      expect(stderr).to.equal('');
      expect(stdout).to.equal('function\n');
      expect(status).to.equal(0);
    });

    it('on nothing but a kernel: vault-env', () => {
      const { stderr } = inImage(`vault-env-${ARCHITECTURE}`, '/vault-env', '--no-such-flag');
      expect(stderr).to.match(/^vault-env: /);
    });

    it('on the other architecture, by an emulator if there is one', function () {
      const emulator = findTool('qemu-aarch64');
      if (emulator === undefined || ARCHITECTURE === 'arm64') this.skip();
      const dir = join(scratch, 'node-arm64');
      const args = ['-L', dir, join(dir, 'node'), '--version'];
      const { stdout } = spawnSync(emulator.path, args, { encoding: 'utf8', env: {} });
      expect(stdout).to.match(/^v24\./);
    });
  });

  describe('imported into containerd', () => {
    let containerd: Containerd;

    before(async function () {
      if (process.platform !== 'linux' || process.getuid?.() !== 0) {
        console.log('      skipped: containerd needs Linux and root');
        this.skip();
      }
      containerd = await startContainerd();
    });
    after(async () => {
      await (containerd as Containerd | undefined)?.stop();
    });

    /** Name and digest of each image that containerd has. */
    const known = async (): Promise<Record<string, string>> => {
      const [, ...lines] = (await containerd.ctr('images', 'list')).trim().split('\n');
      // REF TYPE DIGEST …
      const rows = lines.map((line) => line.split(/\s+/)).map(([name = '', , digest = '']) => [name, digest] as const);
      return Object.fromEntries(rows);
    };
    const forget = async (): Promise<void> => {
      for (const name of Object.keys(await known())) await containerd.ctr('images', 'remove', '--sync', name);
    };
    beforeEach(forget);

    for (const [how, flags] of Object.entries({
      'by ctr': [],
      'as kind load image-archive does': ['--all-platforms', '--digests'],
    })) {
      it(`${how}, have the name that a kubelet asks for`, async () => {
        for (const image of [operator, vaultEnv]) {
          await containerd.ctr('images', 'import', '--no-unpack', ...flags, image.archive);
        }
        const names = await known();
        for (const { name, digest } of [operator, vaultEnv]) {
          expect(name).to.match(/^registry\.example\.com\/team\/[a-z-]+:\d/);
          expect(names).to.have.property(askedFor(name), digest);
        }
      });
    }

    it('from the archive of one architecture have the same name', async () => {
      const own = vaultEnv.images.find(({ architecture }) => architecture === ARCHITECTURE) ?? expect.fail();
      await containerd.ctr('images', 'import', '--no-unpack', own.archive);
      expect(await known()).to.have.property(askedFor(vaultEnv.name), own.digest);
    });
  });

  describe('in a registry', () => {
    let registry: LocalRegistry;

    before(async () => {
      registry = await startRegistry();
    });
    after(() => registry.stop());

    it('are accepted as they are, for both architectures', async () => {
      for (const image of [operator, vaultEnv]) {
        const images = image.images.map((one) => ({ image: one, architecture: one.architecture }));
        expect(await pushIndex(registry, 'team/x', '1', images)).to.equal(image.digest);
      }
    });
  });
});
