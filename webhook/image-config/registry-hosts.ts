/** Which hosts serve a registry, and what the settings allow for each. Pure. */
import { readList } from '../../core/list.ts';
import { matchesAny } from '../../core/policy/match.ts';
import { ImageFailure } from './failure.ts';
import type { ImageReference } from './reference.ts';

export interface RegistrySettings {
  /** Registries that may be asked, by their names in images; * matches any run of characters. */
  readonly registries: readonly string[];
  /** Mirrors to ask before a registry; several for one registry are tried in the order given. */
  readonly mirrors: readonly { readonly registry: string; readonly host: string; readonly prefix: string }[];
  /** HOST[:PORT] of hosts to connect to without TLS. */
  readonly plainHttp: readonly string[];
}

/** A host to ask, and the name of the repository there. */
export interface Endpoint {
  /** Such as https://registry-1.docker.io */
  readonly origin: string;
  /** Its name in messages. */
  readonly host: string;
  readonly repository: string;
}

/** docker.io is a registry whose API is on another host. */
const DOCKER_API = 'registry-1.docker.io';

/** Reads REGISTRY=HOST[:PORT][/PREFIX], separated by commas. */
export function readMirrors(text: string): RegistrySettings['mirrors'] {
  return readList(text).map((item) => {
    const [registry = '', mirror = ''] = item.split('=');
    const [host = '', ...prefix] = mirror.split('/');
    return { registry, host, prefix: prefix.filter((part) => part !== '').join('/') };
  });
}

export class RegistryHosts {
  readonly #settings: RegistrySettings;
  /** As in URL.host. */
  readonly #plain: ReadonlySet<string>;
  readonly #listed: ReadonlySet<string>;

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
    this.#plain = new Set(settings.plainHttp.map((host) => hostIn(`http://${host}`)));
    const named = settings.registries.filter((registry) => !registry.includes('*'));
    const mirrors = settings.mirrors.map(({ host }) => host);
    this.#listed = new Set([...named, ...mirrors].map((host) => hostIn(`https://${host}`)));
  }

  /**
   * Returns where to ask for an image: the mirrors of its registry, then the registry. Throws ImageFailure if none is
   * allowed.
   */
  endpointsFor({ registry, repository }: ImageReference): readonly Endpoint[] {
    const mirrors = this.#settings.mirrors.filter((mirror) => mirror.registry === registry);
    const endpoints = mirrors.map(({ host, prefix }) =>
      this.#endpoint(host, prefix === '' ? repository : `${prefix}/${repository}`),
    );
    if (matchesAny(this.#settings.registries, registry)) endpoints.push(this.#endpoint(registry, repository));
    if (endpoints.length > 0) return endpoints;
    throw new ImageFailure('NotAllowed', `the operator may not ask ${registry} (setting registries)`);
  }

  /** Whether the settings name the host and do not just match it by a wildcard: such a host may have any address. */
  isListed({ host }: Pick<URL, 'host'>): boolean {
    return this.#listed.has(host) || this.#plain.has(host);
  }

  mayBePlain({ host }: Pick<URL, 'host'>): boolean {
    return this.#plain.has(host);
  }

  #endpoint(host: string, repository: string): Endpoint {
    const scheme = this.#plain.has(hostIn(`http://${host}`)) ? 'http' : 'https';
    return { origin: `${scheme}://${host === 'docker.io' ? DOCKER_API : host}`, host, repository };
  }
}

/** Returns the host as URL normalizes it: in lower case, without the scheme's default port. */
function hostIn(url: string): string {
  return URL.parse(url)?.host ?? url;
}
