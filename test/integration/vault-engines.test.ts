import { expect } from 'chai';
import { createPrivateKey, X509Certificate } from 'node:crypto';

import { BUILDING_MS } from '../support/building.ts';
import { eventually } from '../support/operator.ts';
import { createAuthority } from '../support/pki.ts';
import { createDatabaseRole, wrappedAnswer } from '../support/vault-engines.ts';
import { writeSecret } from '../support/vault.ts';
import { startEngines, type Engines } from '../support/wrapped.ts';

describe('vault-env, as a policy configures it', function () {
  this.timeout(60_000);
  let engines: Engines;

  before(async function () {
    this.timeout(BUILDING_MS);
    engines = await startEngines('1h');
  });
  after(async () => {
    // before() may have failed
    await (engines as Engines | undefined)?.stop();
  });

  describe('with dynamic credentials of a database', () => {
    const whoAmI = (role: string): ReturnType<Engines['run']> =>
      engines.run(engines.psql('select current_user'), engines.asUserOf(role));

    it('logs in to PostgreSQL with user name and password from one read and one lease', async () => {
      await createDatabaseRole(engines.vault, 'once', '1h', '2h');
      const { status, stdout, stderr } = await whoAmI('once');
      expect(status).to.equal(0);
      // in mode Exec, which lets the lease run out
      expect(stderr).to.match(
        /^vault-env: warn: the lease of "database\/creds\/once" expires in \S+, and nothing renews it .*\n$/,
      );
      expect(stdout).to.match(/^v-jwt-/);
      expect(await engines.list('sys/leases/lookup/database/creds/once')).to.have.length(1);
    });

    it('keeps the token that their lease depends on, so that they outlive vault-env', async () => {
      await createDatabaseRole(engines.vault, 'kept', '1h', '2h');
      const user = (await whoAmI('kept')).stdout.trim();
      expect(await engines.isUser(user)).to.equal(true);
      await engines.vault.api('PUT', 'sys/leases/revoke-prefix/database/creds/kept', {});
      await eventually('the user to be gone', async () => ((await engines.isUser(user)) ? undefined : true));
    });
  });

  it('revokes its token if no lease depends on it, unless the policy keeps it', async () => {
    await writeSecret(engines.vault, 'secret/data/shop/db', { password: 'from-vault' });
    const own = { PASSWORD: 'vault:secret/data/shop/db#password' };
    const tokens = async (): Promise<number> => (await engines.list('auth/token/accessors')).length;
    const before = await tokens();
    expect((await engines.run(['printenv', 'PASSWORD'], own)).stdout).to.equal('from-vault\n');
    await eventually('the token to be gone', async () => ((await tokens()) === before ? true : undefined));
    await engines.run(['printenv', 'PASSWORD'], own, { process: { revokeToken: false } });
    expect(await tokens()).to.equal(before + 1);
  });

  describe('logging in with credentials from a Secret', () => {
    const own = { PASSWORD: 'vault:secret/data/shop/db#password' };
    const logIn = async (auth: object): Promise<string> => {
      const vault = { auth: { secretRef: { name: 'login' }, ...auth } };
      const { stdout, stderr } = await engines.run(['printenv', 'PASSWORD'], own, { vault });
      return `${stdout}${stderr}`;
    };

    before(() => writeSecret(engines.vault, 'secret/data/shop/db', { password: 'from-vault' }));

    it('AppRole: with the role ID and the secret ID, or a wrapped one, which is valid once', async () => {
      const { vault, writeCredential } = engines;
      const secretID = 'auth/approle/role/shop/secret-id';
      const answer = async (method: string, path: string): Promise<Record<string, string>> =>
        (await vault.api(method, path, method === 'POST' ? {} : undefined)).data as Record<string, string>;
      await vault.api('POST', 'sys/auth/approle', { type: 'approle' });
      await vault.api('POST', 'auth/approle/role/shop', { token_policies: ['shop'] });
      writeCredential('role-id', (await answer('GET', 'auth/approle/role/shop/role-id')).role_id ?? '');
      writeCredential('secret-id', (await answer('POST', secretID)).secret_id ?? '');
      expect(await logIn({ method: 'AppRole' })).to.equal('from-vault\n');
      writeCredential('secret-id', await wrappedAnswer(vault, secretID));
      expect(await logIn({ method: 'AppRole', secretIDWrapped: true, role: 'shop' })).to.equal('from-vault\n');
      expect(await logIn({ method: 'AppRole', secretIDWrapped: true })).to.contain('the wrapped secret ID');
    });

    it('Certificate: with the certificate that a role trusts', async () => {
      const { vault, writeCredential } = engines;
      const authority = await createAuthority('clients');
      const client = await authority.client('shop');
      await vault.api('POST', 'sys/auth/cert', { type: 'cert' });
      const trusted = { certificate: authority.certificate, allowed_common_names: ['shop'], token_policies: ['shop'] };
      await vault.api('POST', 'auth/cert/certs/shop', trusted);
      writeCredential('tls.crt', client.certificate);
      writeCredential('tls.key', client.key);
      expect(await logIn({ method: 'Certificate' })).to.equal('from-vault\n');
      expect(await logIn({ method: 'Certificate', role: 'absent' })).to.contain('Vault refused the login');
    });
  });

  it('decrypts with the transit key of the policy, in batches of its size', async () => {
    const texts = Array.from({ length: 30 }, (_, n) => `plain text ${n} ${'€'.repeat(n)}`);
    const ciphertexts = await Promise.all(texts.map((text) => engines.encrypt(text)));
    const own = Object.fromEntries(ciphertexts.map((ciphertext, n) => [`T${n}`, ciphertext]));
    const inline = { INLINE: `<\${${ciphertexts[0] ?? ''}}>` };
    const spec = { environment: { transit: { keyID: 'shop', batchSize: 7 } } };
    const { status, stdout, stderr } = await engines.run(['env'], { ...own, ...inline }, spec);
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
    const seen = new Map(stdout.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
    for (const [n, text] of texts.entries()) expect(seen.get(`T${n}`)).to.equal(text);
    expect(seen.get('INLINE')).to.equal(`<${texts[0] ?? ''}>`);
  });

  it('does not start a program with a ciphertext if the policy names no key', async () => {
    const { status, stdout, stderr } = await engines.run(['env'], { T: await engines.encrypt('x') });
    expect(status).to.be.above(0);
    expect(stdout).to.equal('');
    expect(stderr).to.contain('environment.transit.keyID');
  });

  it('writes once for a certificate and its key, so that they belong together', async () => {
    const issue = (key: string, body: string): string => `>>vault:pki/issue/shop#${key}#${body}`;
    const own = {
      CERTIFICATE: issue('certificate', '{"common_name": "web.example.com"}'),
      KEY: issue('private_key', '{"common_name":"web.example.com"}'),
    };
    const spec = { environment: { writes: ['pki/issue/*'], allowedPaths: ['secret/*'] } };
    const script = 'printf %s "$CERTIFICATE"; printf "\\n--\\n%s" "$KEY"';
    const { status, stdout, stderr } = await engines.run(['sh', '-c', script], own, spec);
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
    const [certificate = '', key = ''] = stdout.split('\n--\n');
    const issued = new X509Certificate(certificate);
    expect(issued.subjectAltName).to.equal('DNS:web.example.com');
    expect(issued.checkPrivateKey(createPrivateKey(key))).to.equal(true);
  });

  it('neither writes nor reads outside of the paths that the policy allows', async () => {
    const spec = { environment: { allowedPaths: ['secret/data/shop/*'], writes: ['pki/sign/*'] } };
    for (const value of [
      '>>vault:pki/issue/shop#certificate',
      '>>vault:secret/data/shop/db#x',
      'vault:database/creds/once#username',
    ]) {
      const { status, stdout, stderr } = await engines.run(['env'], { X: value }, spec);
      expect(status).to.be.above(0);
      expect({ stdout, lines: stderr.split('\n').length }).to.deep.equal({ stdout: '', lines: 2 });
      expect(stderr).to.contain('X: ');
    }
  });
});
