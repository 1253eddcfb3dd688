import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { HttpMethod, RequestContext } from '@kubernetes/client-node';
import { expect } from 'chai';
import { stringify } from 'yaml';

import { KubeConfigError, loadKubeConfig, PooledKubeConfig } from '../../../kube/kube-config.ts';
import { createAuthority } from '../../support/pki.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('kubeconfig', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kube-config-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function write(name: string, content: unknown): string {
    const file = join(folder, name);
    writeFileSync(file, typeof content === 'string' ? content : stringify(content));
    return file;
  }

  function config(
    name: string,
    user: Record<string, unknown> = { token: 't' },
    cluster: Record<string, unknown> = {},
  ): unknown {
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { server: `https://${name}.example:6443/`, ...cluster } }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
    };
  }

  const load = (file: string, context?: string): PooledKubeConfig => loadKubeConfig({ file, context }, {});

  describe('loading', () => {
    it('takes the file that it is given, before KUBECONFIG', () => {
      const loaded = loadKubeConfig({ file: write('a', config('a')) }, { KUBECONFIG: write('b', config('b')) });
      expect(loaded.getCurrentContext()).to.equal('a');
    });

    it('merges the files of KUBECONFIG: the first one that says something counts, missing ones are skipped', () => {
      const files = [join(folder, 'absent'), write('a', config('a')), write('b', config('b'))];
      const loaded = loadKubeConfig({ file: '', context: '' }, { KUBECONFIG: files.join(':') });
      expect(loaded.getCurrentContext()).to.equal('a');
      expect(loaded.getContexts().map(({ name }) => name)).to.deep.equal(['a', 'b']);
    });

    it('chooses a context', () => {
      const both = { KUBECONFIG: `${write('a', config('a'))}:${write('b', config('b'))}` };
      expect(loadKubeConfig({ context: 'b' }, both).getCurrentCluster()?.server).to.equal('https://b.example:6443');
    });

    const refused: Readonly<Record<string, { content: unknown; message: RegExp; context?: string }>> = {
      'a context that does not exist': { content: config('a'), context: 'x', message: /no context "x"; it has: a$/ },
      'no current context': { content: { clusters: [], users: [], contexts: [] }, message: /no current context/ },
      'a cluster without a server': { content: config('a', {}, { server: undefined }), message: /cluster/ },
      'http without TLS': { content: config('a', {}, { server: 'http://a' }), message: /must begin with https/ },
      'a SOCKS proxy': { content: config('a', {}, { 'proxy-url': 'socks5://localhost' }), message: /SOCKS/ },
      'no YAML': { content: 'token: "hunter2\n  :::', message: /it is not YAML$/ },
    };
    for (const [what, { content, message, context }] of Object.entries(refused)) {
      it(`rejects ${what}`, () => {
        const file = write('bad', content);
        expect(() => load(file, context)).to.throw(KubeConfigError, message);
      });
    }

    it('rejects a file that does not exist, by name', () => {
      expect(() => load(join(folder, 'nowhere'))).to.throw(KubeConfigError, /nowhere: ENOENT$/);
    });

    it('refuses to guess a cluster when nothing names one', () => {
      expect(() => loadKubeConfig({}, { HOME: folder })).to.throw(KubeConfigError, /set --kubeconfig/);
    });
  });

  describe('the connection for a request', () => {
    it('has the server without its last slash, and the token', async () => {
      const loaded = load(write('a', config('a')));
      const { server, headers } = await loaded.connection();
      expect(server).to.equal('https://a.example:6443');
      expect(headers).to.deep.equal({ Authorization: 'Bearer t' });
    });

    it('reads kubectl’s tokenFile, beside the kubeconfig, and drops the newline at its end', async () => {
      write('token', 'from-file\n');
      const { headers } = await load(write('a', config('a', { tokenFile: 'token', token: 'stale' }))).connection();
      expect(headers).to.deep.equal({ Authorization: 'Bearer from-file' });
    });

    it('runs an exec plugin', async () => {
      const credential = {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: { token: 'from-plugin' },
      };
      const exec = {
        apiVersion: credential.apiVersion,
        command: process.execPath,
        args: ['-p', `'${JSON.stringify(credential)}'`],
      };
      const { headers } = await load(write('a', config('a', { exec }))).connection();
      expect(headers).to.deep.equal({ Authorization: 'Bearer from-plugin' });
    });

    it('authenticates with a password, if that is what there is', async () => {
      const { headers } = await load(write('a', config('a', { username: 'me', password: 'pw' }))).connection();
      expect(headers).to.deep.equal({ Authorization: `Basic ${base64('me:pw')}` });
    });

    it('uses one pool for all requests', async () => {
      const { certificate } = await createAuthority('a');
      const loaded = load(
        write('a', config('a', { token: 't' }, { 'certificate-authority-data': base64(certificate) })),
      );
      const first = await loaded.connection();
      expect((await loaded.connection()).dispatcher).to.equal(first.dispatcher);
    });

    it('uses a new pool when the CA file changes, and only then', async () => {
      const ca = write('ca.crt', (await createAuthority('old')).certificate);
      const loaded = load(write('a', config('a', { token: 't' }, { 'certificate-authority': ca })));
      const before = await loaded.connection();
      write('ca.crt', (await createAuthority('new')).certificate);
      const after = await loaded.connection();
      expect(after.dispatcher).not.to.equal(before.dispatcher);
      expect((await loaded.connection()).dispatcher).to.equal(after.dispatcher);
    });

    it('uses a new pool when the client certificate changes', async () => {
      const authority = await createAuthority('a');
      const renew = async (): Promise<void> => {
        const { certificate, key } = await authority.client('me');
        write('me.crt', certificate);
        write('me.key', key);
      };
      await renew();
      const loaded = load(write('a', config('a', { 'client-certificate': 'me.crt', 'client-key': 'me.key' })));
      const before = await loaded.connection();
      await renew();
      expect((await loaded.connection()).dispatcher).not.to.equal(before.dispatcher);
    });

    it('is the same for client-node’s typed APIs', async () => {
      const loaded = load(write('a', config('a')));
      const context = new RequestContext('https://a.example', HttpMethod.GET);
      await loaded.applySecurityAuthentication(context);
      expect(context.getDispatcher()).to.equal((await loaded.connection()).dispatcher);
      expect(context.getHeaders()).to.deep.equal({ Authorization: 'Bearer t' });
    });

    it('keeps the CA of a cluster that needs no user', async () => {
      const { certificate } = await createAuthority('a');
      const anonymous = config('a', {}, { 'certificate-authority-data': base64(certificate) }) as {
        contexts: unknown[];
        users: unknown[];
      };
      anonymous.contexts = [{ name: 'a', context: { cluster: 'a' } }];
      anonymous.users = [];
      const loaded = load(write('a', anonymous));
      expect(loaded.getCurrentUser()?.name).to.equal('anonymous');
      expect((await loaded.connection()).headers).to.deep.equal({});
    });
  });
});
