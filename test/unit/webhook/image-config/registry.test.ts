import { expect } from 'chai';
import { Scene } from './scene.ts';
import { descriptor, digestOf, imageDocuments, OCI_INDEX, OCI_MANIFEST, serving } from './scripted-registry.ts';
import { startScriptedRegistry } from './scripted-registry.ts';

const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
};
const IMAGE = imageDocuments({ Entrypoint: ['/entry'], Cmd: ['serve', '--all'] });
const ENTRY_POINT = { entrypoint: ['/entry'], cmd: ['serve', '--all'] };

describe('the registry client', () => {
  let scene: Scene;

  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  describe('finds ENTRYPOINT and CMD', () => {
    it('of an OCI manifest', async () => {
      scene.registry.script = serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config);
      expect(await scene.ask(scene.client())).to.deep.equal({
        digest: IMAGE.digest,
        entryPoint: ENTRY_POINT,
        isShared: true,
      });
      expect(scene.registry.requests).to.have.length(2);
    });

    it("of Docker's manifest", async () => {
      const docker = imageDocuments({ Entrypoint: null, Cmd: ['sh'] }, DOCKER);
      scene.registry.script = serving(DOCKER.manifest, docker.manifest, docker.config);
      expect((await scene.ask(scene.client())).entryPoint).to.deep.equal({ entrypoint: [], cmd: ['sh'] });
    });

    it('by a digest, which the registry need not repeat', async () => {
      scene.registry.script = (path) => ({ body: path.includes('/blobs/') ? IMAGE.config : IMAGE.manifest });
      const { digest } = await scene.ask(scene.client(), `${scene.registry.host}/app@${IMAGE.digest}`);
      expect(digest).to.equal(IMAGE.digest);
    });

    it('as empty if the image has neither', async () => {
      const empty = imageDocuments({});
      scene.registry.script = serving(OCI_MANIFEST, empty.manifest, empty.config);
      expect((await scene.ask(scene.client())).entryPoint).to.deep.equal({ entrypoint: [], cmd: [] });
    });

    const arm = imageDocuments({ Cmd: ['arm'] });
    const armv7 = imageDocuments({ Cmd: ['armv7'] });
    const indexOf = (mediaType: string): string =>
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        manifests: [
          // a buildkit attestation is listed next to the images
          {
            ...descriptor(OCI_MANIFEST, armv7.manifest),
            platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
          },
          {
            ...descriptor(OCI_MANIFEST, arm.manifest),
            platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
          },
          { ...descriptor(OCI_MANIFEST, IMAGE.manifest), platform: { os: 'linux', architecture: 'amd64' } },
        ],
      });
    for (const type of [OCI_INDEX, DOCKER_LIST]) {
      for (const [platforms, words] of [
        ['linux/amd64', ['serve', '--all']],
        ['linux/arm64', ['arm']],
        ['linux/arm64/v8', ['arm']],
        ['linux/arm/v7', ['armv7']],
        ['linux/s390x,linux/arm64', ['arm']],
      ] as const) {
        it(`of the image for ${platforms} in ${type}`, async () => {
          const all = [arm, armv7, IMAGE].flatMap(({ manifest, config }) => [manifest, config]);
          scene.registry.script = serving(type, indexOf(type), ...all);
          const { entryPoint, digest } = await scene.ask(scene.client({ platforms }));
          expect(entryPoint.cmd).to.deep.equal(words);
          expect(digest, 'what the name stands for').to.equal(digestOf(indexOf(type)));
        });
      }
    }

    it('of no other platform', async () => {
      scene.registry.script = serving(OCI_INDEX, indexOf(OCI_INDEX));
      const { code, message } = await scene.failure(scene.client({ platforms: 'linux/s390x,linux/arm/v6' }));
      expect([code, message]).to.deep.equal([
        'WrongPlatform',
        'the image is not available for linux/s390x or linux/arm/v6',
      ]);
    });
  });

  describe('does not accept', () => {
    it('a manifest of another digest than its header', async () => {
      scene.registry.script = () => ({ headers: { 'docker-content-digest': digestOf('x') }, body: IMAGE.manifest });
      expect((await scene.failure()).message).to.contain('content that does not match its digest');
    });
    it('a manifest of another digest than was asked for', async () => {
      scene.registry.script = () => ({ headers: { 'docker-content-digest': IMAGE.digest }, body: IMAGE.manifest });
      const pinned = `${scene.registry.host}/app@${digestOf('another')}`;
      expect((await scene.failure(scene.client(), pinned)).message).to.contain('content that does not match');
    });
    it('a configuration of another digest', async () => {
      const stolen = IMAGE.config.replace('serve', 'steal');
      scene.registry.script = (path) =>
        path.includes('/blobs/') ? { body: stolen } : serving(OCI_MANIFEST, IMAGE.manifest)(path, {}, 'GET');
      expect((await scene.failure()).message).to.contain('content that does not match');
    });
    it('what is larger than its manifest says', async () => {
      scene.registry.script = (path) =>
        path.includes('/blobs/')
          ? { body: Buffer.alloc(200_000) }
          : serving(OCI_MANIFEST, IMAGE.manifest)(path, {}, 'GET');
      expect((await scene.failure()).message).to.contain('sent more than 65536 bytes');
    });
    it('a manifest of more than 4 MiB', async () => {
      scene.registry.script = () => ({ body: Buffer.alloc(4 * 2 ** 20 + 1) });
      expect((await scene.failure()).code).to.equal('Unusable');
    });
    it('an index that leads to itself', async () => {
      const index = (inner: string): string =>
        JSON.stringify({
          mediaType: OCI_INDEX,
          manifests: [{ ...descriptor(OCI_INDEX, inner), platform: { os: 'linux', architecture: 'amd64' } }],
        });
      const chain = [index(index(index(IMAGE.manifest))), index(index(IMAGE.manifest)), index(IMAGE.manifest)];
      scene.registry.script = serving(OCI_INDEX, ...chain, IMAGE.manifest, IMAGE.config);
      expect((await scene.failure()).message).to.contain('another index too many times');
    });
    for (const [what, body] of [
      ['no JSON', 'not json'],
      ['a list', '[]'],
      ['a manifest of Docker’s first schema', '{"schemaVersion":1,"name":"app"}'],
      [
        'a Helm chart',
        JSON.stringify({
          mediaType: OCI_MANIFEST,
          config: descriptor('application/vnd.cncf.helm.config.v1+json', '{}'),
        }),
      ],
      ['a manifest without configuration', JSON.stringify({ mediaType: OCI_MANIFEST })],
      [
        'a digest that climbs',
        JSON.stringify({
          mediaType: OCI_MANIFEST,
          config: { ...descriptor('application/vnd.oci.image.config.v1+json', ''), digest: '../../x' },
        }),
      ],
    ] as const) {
      it(`that ${what} is an image`, async () => {
        scene.registry.script = () => ({ body });
        expect((await scene.failure()).code).to.equal('Unusable');
      });
    }
    it('that very many words are an entrypoint, however short they are', async () => {
      for (const words of [1_001, 1_390_000]) {
        const many = imageDocuments({ Entrypoint: Array.from({ length: words }, () => '') });
        scene.registry.script = serving(OCI_MANIFEST, many.manifest, many.config);
        expect((await scene.failure()).message).to.contain('too long');
      }
    });
    it('that a megabyte of words is an entrypoint', async () => {
      const long = imageDocuments({ Cmd: ['x'.repeat(2 ** 20)] });
      scene.registry.script = serving(OCI_MANIFEST, long.manifest, long.config);
      expect((await scene.failure()).message).to.contain('too long');
    });
  });

  describe('leaves a registry alone', () => {
    it('for as long as it asks, and then asks again', async () => {
      scene.registry.script = () => ({ status: 429, headers: { 'retry-after': '7' } });
      const of = scene.client();
      const { code, retryAfterMs } = await scene.failure(of);
      expect([code, retryAfterMs]).to.deep.equal(['RateLimited', 7000]);
      scene.registry.script = serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config);
      await scene.clock.advance(6999);
      expect((await scene.failure(of)).code).to.equal('RateLimited');
      expect(scene.registry.requests).to.have.length(1);
      await scene.clock.advance(1);
      await scene.ask(of);
    });

    it('for the namespace that it turned away, and for no other', async () => {
      scene.registry.script = () => ({ status: 429, headers: { 'retry-after': '7' } });
      const of = scene.client();
      await scene.failure(of);
      scene.registry.script = serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config);
      expect((await scene.failure(of)).code).to.equal('RateLimited');
      await scene.ask(of, undefined, { namespace: 'another' });
    });

    it('no longer when the clock is set back', async () => {
      scene.registry.script = () => ({ status: 429, headers: { 'retry-after': '7' } });
      const of = scene.client();
      await scene.failure(of);
      scene.registry.script = serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config);
      scene.clock.set(-3_600_000);
      await scene.clock.advance(7000);
      await scene.ask(of);
    });

    it('until a date that it names, by its own clock', async () => {
      const headers = { 'retry-after': 'Wed, 21 Oct 2015 07:28:09 GMT', date: 'Wed, 21 Oct 2015 07:28:00 GMT' };
      scene.registry.script = () => ({ status: 503, headers });
      const { code, retryAfterMs } = await scene.failure();
      expect([code, retryAfterMs]).to.deep.equal(['Unreachable', 9000]);
    });

    it('for ten minutes at most', async () => {
      scene.registry.script = () => ({ status: 429, headers: { 'retry-after': '86400' } });
      expect((await scene.failure()).retryAfterMs).to.equal(600_000);
    });

    it('for a little while when it cannot be reached', async () => {
      const { host } = scene.other;
      await scene.other.close();
      const of = scene.client();
      const { code, message } = await scene.failure(of, `${host}/app:1`);
      expect([code, message]).to.deep.equal(['Unreachable', `${host}: connection refused`]);
      scene.other = await startScriptedRegistry();
    });
  });

  describe('asks mirrors first', () => {
    const mirrors = (): string => `registry.invalid=${scene.other.host},registry.invalid=${scene.registry.host}/cache`;

    it('and the next one if one does not have the image', async () => {
      scene.registry.script = (path, headers, method) =>
        serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config)(path.replace('/cache', ''), headers, method);
      await scene.ask(scene.client({ mirrors: mirrors() }), 'registry.invalid/app:1');
      expect(scene.other.requests).to.deep.equal(['GET /v2/app/manifests/1 -']);
    });

    it('and says what the last one said', async () => {
      scene.registry.script = () => ({ status: 500 });
      const { message } = await scene.failure(
        scene.client({ mirrors: mirrors(), registries: [] }),
        'registry.invalid/app:1',
      );
      expect(message).to.equal(`${scene.registry.host} answers 500`);
    });
  });

  describe('with a digest from before', () => {
    const before = { lastDigest: IMAGE.digest, remembered: () => ENTRY_POINT };

    it('asks only whether the name still stands for it', async () => {
      scene.registry.script = serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config);
      expect((await scene.ask(scene.client(), undefined, before)).entryPoint).to.equal(ENTRY_POINT);
      expect(scene.registry.requests).to.deep.equal(['HEAD /v2/app/manifests/1 -']);
    });

    it('reads the new image if it does not', async () => {
      const moved = imageDocuments({ Cmd: ['new'] });
      scene.registry.script = serving(OCI_MANIFEST, moved.manifest, moved.config);
      const remembered = (digest: string) => (digest === IMAGE.digest ? ENTRY_POINT : undefined);
      const { entryPoint, digest } = await scene.ask(scene.client(), undefined, { ...before, remembered });
      expect([entryPoint.cmd, digest]).to.deep.equal([['new'], moved.digest]);
    });

    it('downloads no configuration that is remembered from another name', async () => {
      scene.registry.script = serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config);
      await scene.ask(scene.client(), undefined, {
        remembered: (digest) => (digest === IMAGE.digest ? ENTRY_POINT : undefined),
      });
      expect(scene.registry.requests).to.deep.equal(['GET /v2/app/manifests/1 -']);
    });
  });

  it('says that it was not answered in time', async () => {
    scene.registry.script = () => undefined;
    const { code, message } = await scene.failure(scene.client(), undefined, { signal: AbortSignal.timeout(50) });
    expect([code, message]).to.deep.equal(['Unreachable', `${scene.registry.host}: no answer in time`]);
  });
});
