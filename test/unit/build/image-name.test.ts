import { expect } from 'chai';

import { DEFAULT_PREFIX, imageName } from '../../../build/image-name.ts';
import { parseReference } from '../../../webhook/image-config/reference.ts';

/** What a kubelet, by its container runtime, looks for when a pod names this image. */
function askedFor(image: string): string {
  const { registry, repository, version } = parseReference(image) ?? expect.fail(`${image} is no reference`);
  return `${registry}/${repository}:${version}`;
}

describe('names of images', () => {
  // Rule: github.com/distribution/reference, ParseDockerRef, which containerd's CRI service applies to every name.
  for (const [written, asked] of Object.entries({
    'vault-env:0.1.0': 'docker.io/library/vault-env:0.1.0',
    'vault-env': 'docker.io/library/vault-env:latest',
    'acme/vault-env:0.1.0': 'docker.io/acme/vault-env:0.1.0',
    'docker.io/vault-env:0.1.0': 'docker.io/library/vault-env:0.1.0',
    'index.docker.io/acme/vault-env:0.1.0': 'docker.io/acme/vault-env:0.1.0',
    'localhost/vault-env:0.1.0': 'localhost/vault-env:0.1.0',
    'ghcr.io/acme/vault-env:0.1.0': 'ghcr.io/acme/vault-env:0.1.0',
    'registry:5000/vault-env:0.1.0': 'registry:5000/vault-env:0.1.0',
  })) {
    it(`a pod that names ${written} makes its node look for ${asked}`, () => {
      expect(askedFor(written)).to.equal(asked);
    });
  }

  for (const prefix of [
    DEFAULT_PREFIX,
    'ghcr.io/acme',
    'ghcr.io/acme/',
    'docker.io/acme',
    'localhost:5001',
    'registry:5000',
    'registry.example.com:5000/team-a/vault',
    '10.0.0.1/x',
    'europe-docker.pkg.dev/p/r__x/y.z',
  ]) {
    it(`with the prefix ${prefix} are what the node looks for`, () => {
      const name = imageName(prefix, 'vault-env', '0.1.0');
      expect(askedFor(name)).to.equal(name);
      expect(name).to.match(/\/vault-env:0\.1\.0$/);
    });
  }

  for (const prefix of [
    'acme',
    'acme/x',
    '',
    'docker.io',
    'index.docker.io/acme',
    'https://ghcr.io/acme',
    'GHCR.io/a',
  ]) {
    it(`are refused with the prefix "${prefix}", under which no node would find an import`, () => {
      expect(() => imageName(prefix, 'vault-env', '0.1.0')).to.throw(/host of a registry; write for example ghcr\.io/);
    });
  }

  for (const prefix of ['ghcr.io/Acme', 'ghcr.io//acme', 'ghcr.io/acme:1', 'ghcr.io/-a', 'ghcr.io/a..b']) {
    it(`are refused with the prefix "${prefix}", which is not the beginning of a name`, () => {
      expect(() => imageName(prefix, 'vault-env', '0.1.0')).to.throw(/is not the beginning of an image's name/);
    });
  }

  it('have a tag that registries accept', () => {
    expect(() => imageName('ghcr.io/acme', 'vault-env', '1.0.0+build')).to.throw(/"1\.0\.0\+build" is not a tag/);
  });
});
