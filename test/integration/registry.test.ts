import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Registry as Register } from 'prom-client';
import { systemClock } from '../../kube/clock.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { ImageConfigs } from '../../webhook/image-config/image-configs.ts';
import { proxiesOf } from '../../webhook/image-config/http.ts';
import { createImageLookUp } from '../../webhook/image-config/look-up.ts';
import type { ImageSettings } from '../../webhook/image-config/look-up.ts';
import type { ImageAnswer } from '../../core/injection/images.ts';
import { startFakeTokenServer, type FakeTokenServer } from '../support/fake-token-server.ts';
import { buildImage, type Image } from '../../build/image.ts';
import { createAuthority, type Authority } from '../support/pki.ts';
import { pushImage, pushIndex, type PushTarget } from '../support/registry-push.ts';
import { REGISTRY_USER, startRegistry, type LocalRegistry, type RegistryUser } from '../support/registry.ts';
import { testLog } from '../support/test-log.ts';

const basic = ({ username, password }: RegistryUser): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

describe('looking images up in a real registry', function () {
  this.timeout(60_000);
  let dir: string;
  let authority: Authority;
  let closing: (() => Promise<void>)[];

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'registry-test-'));
    authority = await createAuthority('registries');
    writeFileSync(join(dir, 'ca.pem'), authority.certificate);
  });
  after(() => rmSync(dir, { recursive: true }));
  beforeEach(() => (closing = []));
  afterEach(async () => {
    for (const close of closing) await close();
  });

  let images = 0;
  function image(cmd: string, architecture = 'amd64'): Image {
    const config = { entrypoint: ['/entry'], cmd: [cmd] };
    return buildImage({ name: 'x', files: [], architecture, config }, join(dir, `${images++}.tar`));
  }

  /** The look-up as the operator has it, with an API server that knows these pull secrets of the namespace shop. */
  function lookUp(
    settings: Partial<ImageSettings>,
    users: Record<string, [host: string, user: RegistryUser]> = {},
    proxies = proxiesOf({}),
  ) {
    const get = (({ plural, namespace }, name) => {
      const [host, user] = users[name] ?? [];
      if (plural !== 'secrets' || namespace !== 'shop' || host === undefined) return Promise.resolve(undefined);
      const config = Buffer.from(JSON.stringify({ auths: { [host]: user } })).toString('base64');
      const secret = { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': config } };
      return Promise.resolve(secret as unknown as KubernetesObject);
    }) as ObjectClient['get'];
    const lookUp = createImageLookUp({
      registries: '*',
      registryMirrors: '',
      registryPlainHttp: '',
      registryCa: join(dir, 'ca.pem'),
      registryConfig: '',
      nodePlatforms: 'linux/amd64',
      ...settings,
      client: { get, list: () => Promise.reject(new Error('the platforms are set')) },
      userAgent: 'test',
      proxies,
      register: new Register(),
      clock: systemClock,
      random: Math.random,
      logger: testLog().logger,
    });
    closing.push(() => lookUp.stop());
    return lookUp.configs;
  }

  async function find(configs: ImageConfigs, name: string, ...pullSecrets: string[]): Promise<ImageAnswer | undefined> {
    const needs = { images: [name], serviceAccount: 'default', pullSecrets };
    return (await configs.find('shop', needs, 10_000))(name);
  }

  const target = ({ url, ca }: LocalRegistry): PushTarget => ({ url, ca });

  describe('that is open to everybody', () => {
    let registry: LocalRegistry;
    before(async function () {
      this.timeout(600_000); // the first run fetches the registry
      registry = await startRegistry({ authority });
      await pushImage(target(registry), 'shop/app', '1', image('one'));
      await pushIndex(target(registry), 'shop/multi', '1', [
        { architecture: 'arm64', image: image('on-arm64', 'arm64') },
        { architecture: 'amd64', image: image('on-amd64') },
      ]);
      await pushIndex(target(registry), 'shop/arm', '1', [{ architecture: 'arm64', image: image('x', 'arm64') }]);
    });
    after(() => registry.stop());

    it('finds ENTRYPOINT and CMD', async () => {
      expect(await find(lookUp({ registries: registry.host }), `${registry.host}/shop/app:1`)).to.deep.equal({
        entrypoint: ['/entry'],
        cmd: ['one'],
      });
    });

    it('finds those of the platform of the nodes', async () => {
      const on = async (nodePlatforms: string): Promise<unknown> =>
        find(lookUp({ registries: registry.host, nodePlatforms }), `${registry.host}/shop/multi:1`);
      expect(await on('linux/amd64')).to.deep.include({ cmd: ['on-amd64'] });
      expect(await on('linux/arm64')).to.deep.include({ cmd: ['on-arm64'] });
    });

    const failures: readonly [what: string, name: string, settings: Partial<ImageSettings>, why: RegExp][] = [
      ['an image that is not there', 'shop/none:1', {}, /has no such image$/],
      ['a tag that is not there', 'shop/app:2', {}, /has no such image$/],
      ['an image for other machines', 'shop/arm:1', {}, /^the image is not available for linux\/amd64$/],
      ['an authority that it does not know', 'shop/app:1', { registryCa: '' }, /signed by an unknown authority/],
      ['a registry that is not to be asked', 'shop/app:1', { registries: 'quay.io' }, /may not ask .*registries/],
      ['a loopback address that only a wildcard allows', 'shop/app:1', { registries: '*' }, /at an address/],
    ];
    for (const [what, name, settings, why] of failures) {
      it(`says why it does not find ${what}`, async () => {
        const answer = await find(lookUp({ registries: registry.host, ...settings }), `${registry.host}/${name}`);
        expect(answer).to.have.property('why').that.matches(why);
      });
    }

    it('finds an image by its digest, which another tag shares', async () => {
      const digest = await pushImage(target(registry), 'shop/app', 'again', image('one'));
      const configs = lookUp({ registries: registry.host });
      expect(await find(configs, `${registry.host}/shop/app@${digest}`)).to.deep.include({ cmd: ['one'] });
    });

    it('serves as the mirror of a registry', async () => {
      const configs = lookUp({ registries: 'none', registryMirrors: `registry.invalid=${registry.host}/shop` });
      expect(await find(configs, 'registry.invalid/app:1')).to.deep.include({ cmd: ['one'] });
    });

    it('is asked through a proxy if the environment names one, except for its exceptions', async () => {
      const tunnels: string[] = [];
      const proxy = createServer().on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
        tunnels.push(request.url ?? '');
        const [host, port] = registry.host.split(':');
        const upstream = connect(Number(port), host, () => {
          client.write('HTTP/1.1 200 OK\r\n\r\n');
          upstream.write(head);
          upstream.pipe(client).pipe(upstream);
        });
        client.on('error', () => upstream.destroy());
        upstream.on('error', () => client.destroy());
      });
      proxy.listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const through = async (env: Record<string, string>): Promise<unknown> =>
        find(lookUp({ registries: registry.host }, {}, proxiesOf(env)), `${registry.host}/shop/app:1`);
      try {
        expect(await through({ HTTPS_PROXY: url })).to.deep.include({ cmd: ['one'] });
        expect([...new Set(tunnels.splice(0))]).to.deep.equal([registry.host]);
        expect(await through({ https_proxy: url, NO_PROXY: '127.0.0.1' })).to.deep.include({ cmd: ['one'] });
        expect(tunnels).to.deep.equal([]);
      } finally {
        proxy.close();
      }
    });

    it('says that it is down', async () => {
      const configs = lookUp({ registries: registry.host });
      await registry.pause();
      expect(await find(configs, `${registry.host}/shop/app:1`)).to.deep.equal({
        why: `${registry.host}: connection refused`,
      });
      await registry.resume();
    });
  });

  describe('with a password file', () => {
    let registry: LocalRegistry;
    before(async () => {
      registry = await startRegistry({ authority, auth: 'htpasswd' });
      const pushing = { ...target(registry), authorization: basic(REGISTRY_USER) };
      await pushImage(pushing, 'shop/app', '1', image('private'));
    });
    after(() => registry.stop());

    const wrong = { username: 'puller', password: 'of-last-year' };
    const name = (): string => `${registry.host}/shop/app:1`;

    it('pulls with a pull secret of the pod, after one that does not work', async () => {
      const configs = lookUp(
        { registries: registry.host },
        { old: [registry.host, wrong], new: [registry.host, REGISTRY_USER] },
      );
      expect(await find(configs, name(), 'old', 'new')).to.deep.include({ cmd: ['private'] });
    });

    it('pulls by a pattern with a path, and not by one for another port', async () => {
      const configs = lookUp(
        { registries: registry.host },
        { path: [`https://${registry.host}/shop`, REGISTRY_USER], port: ['127.0.0.1', REGISTRY_USER] },
      );
      expect(await find(configs, name(), 'path')).to.deep.include({ cmd: ['private'] });
      expect(await find(configs, name(), 'port'))
        .to.have.property('why')
        .that.contains('without credentials');
    });

    it("pulls by the operator's own configuration, for everybody", async () => {
      const registryConfig = join(dir, 'config.json');
      writeFileSync(registryConfig, JSON.stringify({ auths: { [registry.host]: REGISTRY_USER } }));
      const configs = lookUp({ registries: registry.host, registryConfig });
      expect(await find(configs, name())).to.deep.include({ cmd: ['private'] });
      const needs = { images: [name()], serviceAccount: 'x', pullSecrets: [] };
      expect(configs.known('elsewhere', needs)).not.to.equal(undefined);
    });

    it('does not tell those whose secrets do not work what others have found', async () => {
      const configs = lookUp({ registries: registry.host }, { good: [registry.host, REGISTRY_USER] });
      await find(configs, name(), 'good');
      expect(await find(configs, name())).to.deep.equal({ why: `${registry.host} denies access without credentials` });
    });

    it('says that credentials are wrong', async () => {
      const configs = lookUp({ registries: registry.host }, { old: [registry.host, wrong] });
      expect(await find(configs, name(), 'old')).to.deep.equal({
        why: `${registry.host} denies access with the only available credential`,
      });
    });
  });

  describe('that accepts tokens of a fake token server, and verifies them', () => {
    let registry: LocalRegistry;
    let tokens: FakeTokenServer;
    before(async () => {
      tokens = await startFakeTokenServer(authority, {
        '': { password: '', pull: ['public/app'] },
        puller: { password: REGISTRY_USER.password, pull: ['shop/app'] },
        pusher: { password: 'push', pull: ['shop/app', 'public/app'], push: ['shop/app', 'public/app'] },
      });
      registry = await startRegistry({ authority, auth: tokens });
      for (const repository of ['shop/app', 'public/app']) {
        const authorization = tokens.tokenFor('pusher', `repository:${repository}:pull,push`);
        await pushImage({ ...target(registry), authorization }, repository, '1', image(repository));
      }
    });
    after(async () => {
      await registry.stop();
      await tokens.stop();
    });

    const settings = (): Partial<ImageSettings> => ({ registries: `${registry.host},${tokens.host}` });

    it('pulls what is public with an anonymous token', async () => {
      expect(await find(lookUp(settings()), `${registry.host}/public/app:1`)).to.deep.include({ cmd: ['public/app'] });
      expect(tokens.requests.at(-1)).to.equal('- repository:public/app:pull');
    });

    it('pulls the rest with a token for the user of a pull secret', async () => {
      const configs = lookUp(settings(), { puller: [registry.host, REGISTRY_USER] });
      expect(await find(configs, `${registry.host}/shop/app:1`, 'puller')).to.deep.include({ cmd: ['shop/app'] });
      expect(tokens.requests.at(-1)).to.equal('puller repository:shop/app:pull');
    });

    it('rejects a token for something else, and a user without permission', async () => {
      const refused = { why: `${registry.host} denies access without credentials` };
      expect(await find(lookUp(settings()), `${registry.host}/shop/app:1`)).to.deep.equal(refused);
      const configs = lookUp(settings(), { puller: [registry.host, REGISTRY_USER] });
      expect(await find(configs, `${registry.host}/public/app:1`, 'puller')).to.have.property('why');
    });

    it('rejects a wrong password', async () => {
      const configs = lookUp(settings(), { wrong: [registry.host, { username: 'puller', password: 'no' }] });
      expect(await find(configs, `${registry.host}/shop/app:1`, 'wrong')).to.have.property('why');
    });
  });
});
