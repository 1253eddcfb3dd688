import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { buildImage, buildMultiImage, type ImageSpec } from '../../../build/image.ts';
import { tar, untar } from '../../../build/tar.ts';

describe('image builder', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'image-test-'));
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  it('writes the same bytes for the same files, in whatever order', () => {
    const files = [
      { path: '/bin/b', content: 'B' },
      { path: '/bin/a', content: 'A' },
    ];
    const one = buildImage({ name: 'localhost/x:1', files }, join(dir, 'one.tar'));
    const two = buildImage({ name: 'localhost/x:1', files: files.toReversed() }, join(dir, 'two.tar'));
    expect(two.digest).to.equal(one.digest);
    expect(readFileSync(two.archive).equals(readFileSync(one.archive))).to.be.true;
  });

  it('returns another digest for another entrypoint', () => {
    const build = (entrypoint: string): string =>
      buildImage({ name: 'localhost/x:1', files: [], config: { entrypoint: [entrypoint] } }, join(dir, 'x.tar')).digest;
    expect(build('/a')).not.to.equal(build('/b'));
  });

  it('writes archives that tar reads: directories, modes, links and contents of any length', () => {
    const archive = tar([
      { path: 'usr/bin/program', mode: 0o755, content: 'x'.repeat(513) },
      { path: 'usr/bin/alias', target: 'program' },
      { path: 'empty', content: '' },
    ]);
    const listing = execFileSync('tar', ['-tvf', '-'], { input: archive, encoding: 'utf8' });
    expect(listing.split('\n').map((line) => line.replace(/\s+/g, ' ').replace(/ 1970\S* \S+ /, ' '))).to.deep.equal([
      'drwxr-xr-x 0/0 0 usr/',
      'drwxr-xr-x 0/0 0 usr/bin/',
      '-rw-r--r-- 0/0 0 empty',
      'lrwxrwxrwx 0/0 0 usr/bin/alias -> program',
      '-rwxr-xr-x 0/0 513 usr/bin/program',
      '',
    ]);
    const program = execFileSync('tar', ['-xOf', '-', 'usr/bin/program'], { input: archive, encoding: 'utf8' });
    expect(program).to.equal('x'.repeat(513));
  });

  it('reads its own archives', () => {
    const files = [
      { path: 'a/b', content: 'x'.repeat(513) },
      { path: 'empty', content: '' },
    ];
    const read = untar(tar([...files, { path: 'link', target: 'a/b' }]));
    expect([...read].map(([path, content]) => ({ path, content: content.toString() }))).to.deep.equal(files);
  });

  it('rejects a path that does not fit, rather than cutting it', () => {
    expect(() => tar([{ path: 'a'.repeat(101), content: '' }])).to.throw('more than 100 bytes');
  });

  describe('for two architectures', () => {
    const spec = (architecture: string): ImageSpec => ({
      name: 'localhost/x:1',
      architecture,
      compress: true,
      base: [{ path: '/lib/x', content: `library for ${architecture}` }],
      files: [{ path: '/program', content: 'the same for both' }],
      created: '2025-11-27T00:00:00Z',
      config: { labels: { 'org.opencontainers.image.title': 'x' } },
    });
    const json = (bytes: Buffer | undefined): unknown => JSON.parse(String(bytes));
    const read = (archive: string): Map<string, Buffer> => untar(readFileSync(archive));
    const blob = (files: Map<string, Buffer>, { digest }: { digest: string }): Buffer =>
      files.get(`blobs/${digest.replace(':', '/')}`) ?? expect.fail(`no ${digest}`);

    interface Described {
      readonly digest: string;
      readonly mediaType: string;
      readonly platform?: object;
      readonly annotations?: object;
    }
    interface Index {
      readonly manifests: readonly Described[];
    }
    interface Manifest {
      readonly config: Described;
      readonly layers: readonly Described[];
    }

    it('is one entry, an index of images by platform', () => {
      const image = buildMultiImage([spec('amd64'), spec('arm64')], join(dir, 'x.tar'));
      const files = read(image.archive);
      const [top, ...others] = (json(files.get('index.json')) as Index).manifests;
      expect(others).to.deep.equal([]);
      expect(top).to.deep.include({
        digest: image.digest,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        annotations: { 'io.containerd.image.name': 'localhost/x:1' },
      });
      const { manifests } = json(blob(files, image)) as Index;
      expect(manifests.map(({ digest, platform }) => ({ digest, ...platform }))).to.deep.equal(
        image.images.map(({ digest, architecture }) => ({ digest, architecture, os: 'linux' })),
      );
      expect(files.has('manifest.json')).to.be.false; // Docker's format knows no platforms
    });

    it('has a layer for what changes rarely and one for the rest, compressed the same way on every system', () => {
      const { archive, images } = buildMultiImage([spec('amd64'), spec('arm64')], join(dir, 'x.tar'));
      const files = read(archive);
      const manifests = images.map((image) => json(blob(files, image)) as Manifest);
      const [[, forAmd], [, forArm]] = manifests.map(({ layers }) => layers.map(({ digest }) => digest)) as [
        [string, string],
        [string, string],
      ];
      expect(forAmd).to.equal(forArm); // one blob in the archive, and in a registry
      for (const { layers, config } of manifests) {
        const {
          rootfs,
          created,
          config: configured,
        } = json(blob(files, config)) as {
          rootfs: { diff_ids: string[] };
          created: string;
          config: { Labels: object };
        };
        expect(rootfs.diff_ids).to.have.lengthOf(2);
        expect(created).to.equal('2025-11-27T00:00:00Z');
        expect(configured.Labels).to.deep.equal({ 'org.opencontainers.image.title': 'x' });
        for (const layer of layers) {
          expect(layer.mediaType).to.equal('application/vnd.oci.image.layer.v1.tar+gzip');
          const bytes = blob(files, layer);
          expect([...bytes.subarray(4, 10)]).to.deep.equal([0, 0, 0, 0, 0, 255]); // no time, no system
          expect(untar(gunzipSync(bytes)).size).to.equal(1);
        }
      }
    });

    it('is also an archive for each, in the format of Docker as well', () => {
      const { images } = buildMultiImage([spec('amd64'), spec('arm64')], join(dir, 'x.tar'));
      expect(images.map(({ archive }) => archive)).to.deep.equal([join(dir, 'x-amd64.tar'), join(dir, 'x-arm64.tar')]);
      for (const image of images) {
        const files = read(image.archive);
        const [top] = (json(files.get('index.json')) as Index).manifests;
        expect(top?.digest).to.equal(image.digest);
        const [docker] = json(files.get('manifest.json')) as { Config: string; RepoTags: string[]; Layers: string[] }[];
        expect(docker?.RepoTags).to.deep.equal(['localhost/x:1']);
        for (const path of [docker?.Config ?? '', ...(docker?.Layers ?? [])]) expect(files.has(path), path).to.be.true;
        const config = json(files.get(docker?.Config ?? '')) as { architecture: string };
        expect(config.architecture).to.equal(image.architecture);
      }
    });
  });
});
