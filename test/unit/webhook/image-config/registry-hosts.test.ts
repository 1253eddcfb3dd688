import { expect } from 'chai';
import { ImageFailure } from '../../../../webhook/image-config/failure.ts';
import { parseReference } from '../../../../webhook/image-config/reference.ts';
import { readList } from '../../../../core/list.ts';
import { readMirrors, RegistryHosts } from '../../../../webhook/image-config/registry-hosts.ts';

function hosts(registries: string, mirrors = '', plainHttp = ''): RegistryHosts {
  return new RegistryHosts({
    registries: readList(registries),
    mirrors: readMirrors(mirrors),
    plainHttp: readList(plainHttp),
  });
}

function asked(of: RegistryHosts, image: string): string[] {
  const reference = parseReference(image);
  if (reference === undefined) throw new Error(`no image: ${image}`);
  return of.endpointsFor(reference).map(({ origin, repository }) => `${origin}/${repository}`);
}

describe('the hosts of a registry', () => {
  it('are the registry itself, over TLS', () => {
    expect(asked(hosts('*'), 'quay.io/org/app')).to.deep.equal(['https://quay.io/org/app']);
  });

  it('are where the API of Docker Hub is', () => {
    expect(asked(hosts('*'), 'nginx')).to.deep.equal(['https://registry-1.docker.io/library/nginx']);
  });

  it('are its mirrors first, in the order given, each with its prefix', () => {
    const mirrored = hosts('*', 'docker.io=m1.example:5000, docker.io=m2.example/hub/cache ,quay.io=m3.example');
    expect(asked(mirrored, 'nginx')).to.deep.equal([
      'https://m1.example:5000/library/nginx',
      'https://m2.example/hub/cache/library/nginx',
      'https://registry-1.docker.io/library/nginx',
    ]);
  });

  it('are only the mirrors if the registry may not be asked', () => {
    expect(asked(hosts('quay.io', 'docker.io=m.example'), 'nginx')).to.deep.equal(['https://m.example/library/nginx']);
  });

  it('are connected to without TLS if the settings say so, and only then', () => {
    const plain = hosts('*', '', 'registry.lan:5000');
    expect(asked(plain, 'registry.lan:5000/app')).to.deep.equal(['http://registry.lan:5000/app']);
    expect(asked(plain, 'registry.lan/app')).to.deep.equal(['https://registry.lan/app']);
  });

  const allowed: readonly [registries: string, image: string, isAllowed: boolean][] = [
    ['*', 'quay.io/app', true],
    ['docker.io,quay.io', 'nginx', true],
    ['docker.io,quay.io', 'ghcr.io/app', false],
    ['*.example.com', 'a.example.com/app', true],
    ['*.example.com', 'example.com/app', false],
    ['quay.io', 'quay.io:444/app', false],
    ['', 'nginx', false],
    ['none', 'nginx', false],
  ];
  for (const [registries, image, isAllowed] of allowed) {
    it(`${isAllowed ? 'may' : 'may not'} be asked for ${image} with registries "${registries}"`, () => {
      const ask = (): string[] => asked(hosts(registries), image);
      if (isAllowed) expect(ask()).to.have.length(1);
      else expect(ask).to.throw(ImageFailure, 'setting registries');
    });
  }

  it('are listed if the settings name them, and not if a wildcard does', () => {
    const some = hosts('*,named.example', 'docker.io=mirror.example:444', 'plain.example:5000');
    const isListed = (url: string): boolean => some.isListed(new URL(url));
    expect(isListed('https://named.example/')).to.equal(true);
    expect(isListed('https://NAMED.example:443/')).to.equal(true);
    expect(isListed('https://mirror.example:444/')).to.equal(true);
    expect(isListed('http://plain.example:5000/')).to.equal(true);
    expect(isListed('https://other.example/')).to.equal(false);
    expect(isListed('https://mirror.example/')).to.equal(false);
  });
});
