import { expect } from 'chai';
import { parseReference } from '../../../../webhook/image-config/reference.ts';

const SHA256 = `sha256:${'a'.repeat(64)}`;

describe('the name of an image', () => {
  const readings: readonly [image: string, registry: string, repository: string, version: string][] = [
    ['nginx', 'docker.io', 'library/nginx', 'latest'],
    ['nginx:1.27', 'docker.io', 'library/nginx', '1.27'],
    ['bitnami/redis', 'docker.io', 'bitnami/redis', 'latest'],
    ['docker.io/nginx', 'docker.io', 'library/nginx', 'latest'],
    ['index.docker.io/bitnami/redis:7', 'docker.io', 'bitnami/redis', '7'],
    ['ghcr.io/org/team/app:v1', 'ghcr.io', 'org/team/app', 'v1'],
    ['quay.io/app', 'quay.io', 'app', 'latest'],
    ['localhost/app', 'localhost', 'app', 'latest'],
    ['localhost:5000/app:2', 'localhost:5000', 'app', '2'],
    ['registry:5000/app', 'registry:5000', 'app', 'latest'],
    ['registry/app', 'docker.io', 'registry/app', 'latest'],
    ['Registry/app', 'Registry', 'app', 'latest'],
    ['10.0.0.1:5000/a/b', '10.0.0.1:5000', 'a/b', 'latest'],
    ['[::1]:5000/app', '[::1]:5000', 'app', 'latest'],
    [`nginx@${SHA256}`, 'docker.io', 'library/nginx', SHA256],
    [`quay.io/app:v1@${SHA256}`, 'quay.io', 'app', SHA256],
    ['a__b/c-d--e.f:T_1.0-x', 'docker.io', 'a__b/c-d--e.f', 'T_1.0-x'],
  ];
  for (const [image, registry, repository, version] of readings) {
    it(`is read as the kubelet reads it: ${image}`, () => {
      const isPinned = version === SHA256;
      expect(parseReference(image)).to.deep.equal({ registry, repository, version, isPinned });
    });
  }

  const refusals: readonly [what: string, image: string][] = [
    ['nothing', ''],
    ['capital letters in the repository', 'quay.io/App'],
    ['a scheme', 'https://quay.io/app'],
    ['a user and password', 'user:secret@quay.io/app'],
    ['a path that climbs', 'quay.io/../app'],
    ['an empty part', 'quay.io//app'],
    ['a query', 'quay.io/app?x=1'],
    ['a blank', 'quay.io/my app'],
    ['a line break', 'quay.io/app\n'],
    ['an encoded slash', 'quay.io/a%2fb'],
    ['a digest that is short', 'nginx@sha256:abc'],
    ['a digest of another algorithm', `nginx@md5:${'a'.repeat(32)}`],
    ['an empty tag', 'nginx:'],
    ['a tag of 129 characters', `nginx:${'t'.repeat(129)}`],
    ['a name of 256 characters', `quay.io/${'a'.repeat(248)}`],
    ['a megabyte', 'a'.repeat(2 ** 20)],
    ['a megabyte of separators', `quay.io/a${'-'.repeat(500)}`],
  ];
  for (const [what, image] of refusals) {
    it(`is invalid with ${what}`, () => {
      expect(parseReference(image)).to.equal(undefined);
    });
  }
});
