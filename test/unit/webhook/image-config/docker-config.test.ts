import { expect } from 'chai';
import { credentialsFor, readDockerConfigJson, readDockercfg } from '../../../../webhook/image-config/docker-config.ts';
import { parseReference } from '../../../../webhook/image-config/reference.ts';

const auth = (text: string): string => Buffer.from(text).toString('base64');

/** The users that are tried for an image, in order, given what is written in one configuration. */
function usersFor(image: string, ...patterns: readonly string[]): readonly string[] {
  const auths = Object.fromEntries(patterns.map((pattern) => [pattern, { auth: auth(`${pattern}:p`) }]));
  return tried(image, JSON.stringify({ auths }));
}

/** With every configuration of a pod, in the order of its secrets. */
function tried(image: string, ...configs: readonly string[]): readonly string[] {
  const reference = parseReference(image);
  if (reference === undefined) throw new Error(`no image: ${image}`);
  return credentialsFor(reference, configs.flatMap(readDockerConfigJson)).map(({ username }) => username);
}

describe('a Docker configuration', () => {
  describe('is read', () => {
    const credential = (entry: object): unknown =>
      readDockerConfigJson(JSON.stringify({ auths: { 'a.example': entry } }))[0]?.credential;

    it('with auth', () => {
      expect(credential({ auth: auth('user:pass:word') })).to.deep.equal({ username: 'user', password: 'pass:word' });
    });
    it('with auth that lacks its padding', () => {
      expect(credential({ auth: auth('user:pw').replace(/=+$/, '') })).to.deep.equal({
        username: 'user',
        password: 'pw',
      });
    });
    it('with username and password', () => {
      expect(credential({ username: 'user', password: 'pw' })).to.deep.equal({ username: 'user', password: 'pw' });
    });
    it('with auth rather than with username and password beside it', () => {
      expect(credential({ auth: auth('one:1'), username: 'two', password: '2' })).to.deep.equal({
        username: 'one',
        password: '1',
      });
    });
    it('in its older form, which has no "auths"', () => {
      const [entry] = readDockercfg(JSON.stringify({ 'https://a.example': { auth: auth('u:p') } }));
      expect(entry).to.deep.equal({ pattern: 'a.example', credential: { username: 'u', password: 'p' } });
    });

    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"auths":[]}',
      '{"auths":{"a":5}}',
      '{"auths":{"a":{"auth":"eA=="}}}',
    ]) {
      it(`as empty if it is ${text || 'empty'}`, () => {
        expect(readDockerConfigJson(text)).to.deep.equal([]);
      });
    }
    it('entry by entry: a damaged one does not hide the next', () => {
      const text = JSON.stringify({ auths: { a: { auth: '!' }, b: { username: 'u', password: 'p' } } });
      expect(readDockerConfigJson(text).map(({ pattern }) => pattern)).to.deep.equal(['b']);
    });
  });

  // Of the table in k8s.io/kubernetes/pkg/credentialprovider/keyring_test.go, in our own words.
  describe('opens', () => {
    const opening: readonly [pattern: string, image: string][] = [
      ['quay.io', 'quay.io/app'],
      ['https://quay.io', 'quay.io/app'],
      ['http://quay.io', 'quay.io/app'],
      ['https://quay.io/v1/', 'quay.io/app'],
      ['https://quay.io/v2/', 'quay.io/app'],
      ['quay.io/', 'quay.io/app'],
      ['quay.io/org', 'quay.io/org/app'],
      ['quay.io/org/app', 'quay.io/org/app:v1'],
      ['https://quay.io/v1/org', 'quay.io/org/app'],
      ['registry.example.com:5000', 'registry.example.com:5000/app'],
      ['*.example.com', 'registry.example.com/app'],
      ['registry.*.com', 'registry.example.com/app'],
      ['reg*.example.com', 'registry.example.com/app'],
      ['r?gistry.example.com', 'registry.example.com/app'],
      ['*.*.com', 'registry.example.com/app'],
      ['*.example.com:5000/org', 'registry.example.com:5000/org/app'],
      ['docker.io', 'nginx'],
      ['docker.io/library', 'nginx'],
      ['https://index.docker.io/v1/', 'nginx'],
      ['https://index.docker.io/v1/', 'bitnami/redis:7'],
    ];
    for (const [pattern, image] of opening) {
      it(`${image} by ${pattern}`, () => {
        expect(usersFor(image, pattern)).to.have.length(1);
      });
    }
  });

  describe('does not open', () => {
    const closed: readonly [pattern: string, image: string][] = [
      ['quay.io', 'ghcr.io/app'],
      ['quay.io/org', 'quay.io/other/app'],
      ['*.io', 'registry.quay.io/app'],
      ['*.example.com', 'example.com/app'],
      ['*.example.com', 'a.b.example.com/app'],
      ['registry.example.com', 'registry.example.com:5000/app'],
      ['registry.example.com:5000', 'registry.example.com/app'],
      ['*', 'quay.io/app'],
      ['quay.io/*/app', 'quay.io/org/app'],
      ['quay.io', 'evil-quay.io/app'],
      ['https://index.docker.io/v1/', 'quay.io/app'],
      ['*************************************b.io', `${'a'.repeat(60)}.io/app`],
    ];
    for (const [pattern, image] of closed) {
      it(`${image} by ${pattern}`, () => {
        expect(usersFor(image, pattern)).to.deep.equal([]);
      });
    }
  });

  describe('with several that open an image', () => {
    it('returns all of them, longer paths before shorter, names before wildcards', () => {
      const patterns = ['*.example.com', 'registry.example.com', 'registry.example.com/org', 'other.example.com'];
      expect(usersFor('registry.example.com/org/app', ...patterns)).to.deep.equal([
        'registry.example.com/org',
        'registry.example.com',
        '*.example.com',
      ]);
    });
    it('keeps the order of the secrets if they say the same', () => {
      const config = (user: string): string => JSON.stringify({ auths: { 'quay.io': { auth: auth(`${user}:p`) } } });
      expect(tried('quay.io/app', config('first'), config('second'))).to.deep.equal(['first', 'second']);
    });
    it("takes Docker's own name for its registry only if nothing says docker.io", () => {
      expect(usersFor('nginx', 'https://index.docker.io/v1/', 'docker.io')).to.deep.equal(['docker.io']);
    });
  });
});
