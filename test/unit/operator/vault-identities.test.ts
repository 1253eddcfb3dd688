import { expect } from 'chai';

import { IdentityError, readIdentities, type VaultIdentity } from '../../../operator/vault-identities.ts';
import { CA } from '../../support/example-ca.ts';

const ENTRY = { name: 'main', address: 'https://vault.example.com:8200', paths: ['secret/data/{namespace}/*'] };

const FILES: Readonly<Record<string, string>> = { 'ca.crt': CA, 'empty.crt': '' };

function read(...entries: unknown[]): readonly VaultIdentity[] {
  return readIdentities(entries, 'the-account', (path) => {
    const text = FILES[path];
    if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
    return text;
  });
}

describe('the identities of the operator in Vaults', () => {
  it('need a name, an address and paths, and have defaults for the rest', () => {
    expect(read(ENTRY)).to.deep.equal([
      {
        ...ENTRY,
        aliases: [],
        namespace: '',
        mount: 'kubernetes',
        role: 'vault-injection-operator',
        audience: 'vault',
        serviceAccount: 'the-account',
        caBundle: '',
        serverName: '',
        namespaces: ['*'],
      },
    ]);
  });

  it('can say everything themselves, with the certificates of a file', () => {
    const more = {
      aliases: ['http://vault.vault.svc:8200'],
      namespace: 'admin/team-a',
      mount: 'clusters/eu-1',
      role: 'versions',
      audience: 'https://vault.example.com',
      serviceAccount: 'other',
      serverName: 'vault.example.com',
      namespaces: ['shop', 'team-*'],
    };
    expect(read({ ...ENTRY, ...more, caFile: 'ca.crt' })).to.deep.equal([{ ...ENTRY, ...more, caBundle: CA }]);
  });

  it('may be asked without TLS only if that is written too', () => {
    const address = 'http://127.0.0.1:8200';
    expect(read({ ...ENTRY, address, allowPlaintext: true })[0]).to.include({ address });
    expect(() => read({ ...ENTRY, address })).to.throw(
      IdentityError,
      /unencrypted; write https:\/\/, or allowPlaintext: true/,
    );
  });

  const refusals: [what: string, changes: Readonly<Record<string, unknown>>, message: RegExp][] = [
    ['a key that does not exist', { adress: 'https://v' }, /unknown key "adress"; allowed: name, address,/],
    ['a key that every object has', { constructor: 1 }, /unknown key "constructor"/],
    ['a name that is no word', { name: 'Main Vault' }, /entry 1 \(Main Vault\): name: "Main Vault".*such as main/],
    ['a name that is a number', { name: 1 }, /^entry 1: name: 1 is not allowed/],
    ['an address without scheme', { address: 'vault:8200' }, /address: "vault:8200".*write https:\/\/HOST/],
    ['an address at no port', { address: 'https://v:99999' }, /address: .*write https:\/\/HOST/],
    ['an address with a password', { address: 'https://a:b@v' }, /address: "https:\/\/…@v" .*write https:\/\/HOST/],
    ['an alias with a fragment', { aliases: ['https://v#team'] }, /aliases: .*list of other addresses/],
    ['any namespace of Vault', { namespace: '*' }, /namespace: "\*".*one namespace of Vault/],
    ['an auth mount outside of auth', { mount: '../sys' }, /mount: "\.\.\/sys".*auth method without auth\//],
    ['no role', { role: '' }, /role: "".*name of a role/],
    ['no audience', { audience: '' }, /audience: "".*an audience/],
    ['a ServiceAccount of another namespace', { serviceAccount: 'system/a' }, /serviceAccount: .*operator's namespace/],
    ['a CA file that is not there', { caFile: 'none.crt' }, /entry 1 \(main\): caFile none.crt: ENOENT/],
    ['a CA file without certificates', { caFile: 'empty.crt' }, /caFile empty.crt: it contains no certificate; write/],
    ['a server name that is an address', { serverName: 'https://v' }, /serverName: .*name in the certificate/],
    ['no paths', { paths: [] }, /paths: \[\] is not allowed; write a list of paths as references name them/],
    ['paths that are no list', { paths: 'secret/data/*' }, /paths: .*write a list of paths/],
    ['no namespaces', { namespaces: [] }, /namespaces: .*list of Kubernetes namespaces/],
    ['a namespace that is none', { namespaces: ['Shop'] }, /namespaces: .*list of Kubernetes namespaces/],
    ['allowPlaintext that is a word', { allowPlaintext: 'yes' }, /allowPlaintext: "yes".*true or false/],
  ];
  for (const [what, changes, message] of refusals) {
    it(`reject ${what}, and say what to write`, () => {
      expect(() => read({ ...ENTRY, ...changes })).to.throw(IdentityError, message);
    });
  }

  for (const key of ['name', 'address', 'paths'] as const) {
    it(`reject an entry without ${key}`, () => {
      const rest = Object.fromEntries(Object.entries(ENTRY).filter(([field]) => field !== key));
      expect(() => read(rest)).to.throw(IdentityError, new RegExp(`${key} is missing; write `));
    });
  }

  const paths: [path: string, fault: RegExp | undefined][] = [
    ['secret/data/{namespace}/*', undefined],
    ['secret/data/prod/k8s-{namespace}/*', undefined],
    ['team/kv/data/{namespace}', undefined],
    ['secret/data/*', undefined],
    ['secret/data/shop/db', undefined],
    ['*', /does not begin with the mount/],
    ['*/data/*', /does not begin with the mount/],
    ['{namespace}/data/*', /does not begin with the mount/],
    ['secret/*', /does not begin with the mount/],
    ['secret/data', /does not begin with the mount/],
    ['secret/data*', /does not begin with the mount/],
    ['secret/metadata/shop/*', /does not begin with the mount/],
    ['/secret/data/*', /segment that is empty/],
    ['secret/data//shop', /segment that is empty/],
    ['secret/data/../*', /segment that is empty, \. or \.\./],
    ['secret/data/{Namespace}/*', /braces that are not \{namespace\}/],
    ['secret/data/{namespace/*', /braces that are not/],
    ['secret/data/{namespace}*', /\* before or beside \{namespace\}/],
    ['secret/data/*-{namespace}/db', /\* before or beside/],
    ['secret/data/*/{namespace}/db', /\* before or beside/],
    ['secret/data/shop#key', /one of #\?%/],
  ];
  for (const [path, fault] of paths) {
    it(`${fault === undefined ? 'accept' : 'reject'} the path ${path}`, () => {
      const reading = (): readonly VaultIdentity[] => read({ ...ENTRY, paths: [path] });
      if (fault === undefined) expect(reading()[0]?.paths).to.deep.equal([path]);
      else expect(reading).to.throw(IdentityError, fault);
    });
  }

  it('reject two entries of one name, and what is no entry', () => {
    expect(() => read(ENTRY, { ...ENTRY, role: 'other' })).to.throw(IdentityError, /two entries have the name main/);
    for (const entry of [null, 'main', ['main']]) {
      expect(() => read(ENTRY, entry)).to.throw(IdentityError, /entry 2: write a mapping with name, address and paths/);
    }
    expect(() => readIdentities({ main: ENTRY }, 'a', () => '')).to.throw(IdentityError, /write a list of entries/);
  });
});
