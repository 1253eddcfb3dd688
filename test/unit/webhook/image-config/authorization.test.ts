import { expect } from 'chai';
import { basic, keys, Scene } from './scene.ts';
import { imageDocuments, OCI_MANIFEST, serving } from './scripted-registry.ts';
import type { Script } from './scripted-registry.ts';

const IMAGE = imageDocuments({ Entrypoint: ['/entry'], Cmd: ['serve', '--all'] });

describe('the registry client', () => {
  let scene: Scene;

  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  describe('shows credentials', () => {
    const guarded =
      (authorization: string): Script =>
      (path, headers, method) =>
        headers.authorization === authorization
          ? serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config)(path, headers, method)
          : { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };

    it('to a registry that asks for them, and not before', async () => {
      scene.registry.script = guarded(basic('puller'));
      const found = await scene.ask(scene.client(), undefined, { keyring: keys(scene.registry.host, 'puller') });
      expect(found.isShared).to.equal(false);
      expect(scene.registry.requests[0]).to.equal('GET /v2/app/manifests/1 -');
    });

    it('not at all if the registry is public, so that Secrets need not be read', async () => {
      scene.registry.script = serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config);
      const { isShared } = await scene.ask(scene.client(), undefined, {
        candidates: () => Promise.reject(new Error('asked for credentials')),
      });
      expect(isShared).to.equal(true);
    });

    it('one after the other until one may pull the image', async () => {
      scene.registry.script = guarded(basic('third'));
      await scene.ask(scene.client(), undefined, {
        keyring: keys(scene.registry.host, 'first', 'second', 'third', 'fourth'),
      });
      const shown = scene.registry.requests.map((line) => line.split(' ').slice(2).join(' '));
      expect(shown).to.include.members([basic('first'), basic('second'), basic('third')]);
      expect(shown).not.to.include(basic('fourth'));
    });

    it('also after one for which the image does not exist', async () => {
      scene.registry.script = (path, headers, method) =>
        headers.authorization === basic('blind') ? { status: 404 } : guarded(basic('seeing'))(path, headers, method);
      await scene.ask(scene.client(), undefined, { keyring: keys(scene.registry.host, 'blind', 'seeing') });
    });

    it('in vain, and says how many there were', async () => {
      scene.registry.script = guarded('nobody');
      const at = scene.registry.host;
      expect((await scene.failure()).message).to.equal(`${at} denies access without credentials`);
      expect((await scene.failure(scene.client(), undefined, { keyring: keys(at, 'a') })).message).to.equal(
        `${at} denies access with the only available credential`,
      );
      const { code, message } = await scene.failure(scene.client(), undefined, { keyring: keys(at, 'a', 'b') });
      expect([code, message]).to.deep.equal([
        'Unauthorized',
        `${at} denies access with each of the 2 available credentials`,
      ]);
    });

    it('never to the target of a redirect', async () => {
      scene.registry.script = (path, headers, method) =>
        path.includes('/blobs/')
          ? { status: 307, headers: { location: `http://${scene.other.host}/store?signature=1` } }
          : guarded(basic('puller'))(path, headers, method);
      scene.other.script = () => ({ body: IMAGE.config });
      await scene.ask(scene.client(), undefined, { keyring: keys(scene.registry.host, 'puller') });
      expect(scene.other.requests).to.deep.equal(['GET /store?signature=1 -']);
    });

    it('again to the registry itself after a redirect to another path of its own', async () => {
      scene.registry.script = (path, headers, method) =>
        path.includes('/blobs/')
          ? { status: 302, headers: { location: '/elsewhere' } }
          : path === '/elsewhere'
            ? { body: IMAGE.config }
            : guarded(basic('puller'))(path, headers, method);
      await scene.ask(scene.client(), undefined, { keyring: keys(scene.registry.host, 'puller') });
      expect(scene.registry.requests.at(-1)).to.equal(`GET /elsewhere ${basic('puller')}`);
    });

    it('to a mirror only those for the mirror, never those for the registry behind it', async () => {
      scene.registry.script = guarded(basic('of-mirror'));
      const mirrors = `docker.io=${scene.registry.host}/hub`;
      await scene.failure(scene.client({ mirrors, registries: [] }), 'app:1', {
        keyring: keys('docker.io', 'of-docker'),
      });
      expect(scene.registry.requests.join('\n')).not.to.contain(basic('of-docker'));
      scene.registry.requests.length = 0;
      await scene.failure(scene.client({ mirrors, registries: [] }), 'app:1', {
        keyring: keys(scene.registry.host, 'of-mirror'),
      });
      expect(scene.registry.requests.at(-1)).to.equal(`GET /v2/hub/library/app/manifests/1 ${basic('of-mirror')}`);
    });
  });

  describe('gets tokens', () => {
    const withTokens =
      (realm: string): Script =>
      (path, headers, method) =>
        headers.authorization === 'Bearer t0ken'
          ? serving(OCI_MANIFEST, IMAGE.manifest, IMAGE.config)(path, headers, method)
          : {
              status: 401,
              headers: { 'www-authenticate': `Bearer realm="${realm}",service="reg",scope="repository:*:*"` },
            };

    beforeEach(() => {
      scene.registry.script = withTokens(`http://${scene.other.host}/token?tenant=1`);
    });

    it('anonymously, to pull from this repository and nothing more', async () => {
      scene.other.script = () => ({ body: '{"token":"t0ken","expires_in":300}' });
      expect((await scene.ask(scene.client())).isShared).to.equal(true);
      expect(scene.other.requests).to.deep.equal(['GET /token?tenant=1&service=reg&scope=repository%3Aapp%3Apull -']);
    });

    it('for a user and password, even if the response calls it access_token', async () => {
      scene.other.script = (_, { authorization }) =>
        authorization === basic('puller') ? { body: '{"access_token":"t0ken"}' } : { status: 401 };
      const { isShared } = await scene.ask(scene.client(), undefined, {
        keyring: keys(scene.registry.host, 'wrong', 'puller'),
      });
      expect(isShared).to.equal(false);
      expect(scene.registry.requests.join('\n'), 'the password goes to the token server alone').not.to.contain('Basic');
    });

    const refusals: readonly [what: string, answer: ReturnType<Script>, code: string][] = [
      ['refuses', { status: 401 }, 'Unauthorized'],
      ['forbids', { status: 403 }, 'Unauthorized'],
      ['fails', { status: 500 }, 'Unreachable'],
      ['has had enough', { status: 429 }, 'RateLimited'],
      ['gives no token', { body: '{}' }, 'Unusable'],
      ['gives what could not stand in a header', { body: '{"token":"a\\nb"}' }, 'Unusable'],
      ['gives no end of it', { body: Buffer.alloc(70_000) }, 'Unusable'],
    ];
    for (const [what, answer, code] of refusals) {
      it(`in vain if the token server ${what}`, async () => {
        scene.other.script = () => answer;
        expect((await scene.failure()).code).to.equal(code);
      });
    }

    it('not from an address that the settings do not name', async () => {
      const { code } = await scene.failure(scene.client({ plainHttp: [scene.registry.host] }));
      expect(code).to.equal('NotAllowed');
      expect(scene.other.requests).to.deep.equal([]);
    });

    it('not from a realm that is not a URL', async () => {
      scene.registry.script = withTokens('nowhere');
      expect((await scene.failure()).code).to.equal('Unusable');
    });
  });

  describe('goes nowhere', () => {
    it('without TLS unless the settings say so', async () => {
      scene.registry.script = (path) =>
        path.includes('/blobs/')
          ? { status: 307, headers: { location: `http://${scene.other.host}/` } }
          : serving(OCI_MANIFEST, IMAGE.manifest)(path, {}, 'GET');
      expect((await scene.failure(scene.client({ plainHttp: [scene.registry.host] }))).message).to.contain(
        'registry-plain-http',
      );
      expect(scene.other.requests).to.deep.equal([]);
    });

    for (const host of ['127.0.0.1', '169.254.169.254', '[::1]', 'localhost']) {
      it(`at ${host}, which no setting names`, async () => {
        const { code } = await scene.failure(scene.client(), `${host}:1/app:1`);
        expect(code).to.equal('NotAllowed');
      });
    }

    it('by a link with a password in it, or after the fourth redirect', async () => {
      scene.registry.script = () => ({ status: 302, headers: { location: `http://a:b@${scene.other.host}/` } });
      expect((await scene.failure()).code).to.equal('Unusable');
      scene.registry.script = (path) => ({ status: 302, headers: { location: `${path}/x` } });
      expect((await scene.failure()).message).to.contain('redirects too many times');
      expect(scene.registry.requests).to.have.length(6);
    });
  });
});
