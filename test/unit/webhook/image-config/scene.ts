import { expect } from 'chai';
import { credentialsFor } from '../../../../webhook/image-config/docker-config.ts';
import type { KeyringEntry } from '../../../../webhook/image-config/docker-config.ts';
import { ImageFailure } from '../../../../webhook/image-config/failure.ts';
import { createHttp, proxiesOf } from '../../../../webhook/image-config/http.ts';
import { parsePlatform } from '../../../../webhook/image-config/platform.ts';
import { parseReference } from '../../../../webhook/image-config/reference.ts';
import { RegistryClient } from '../../../../webhook/image-config/registry.ts';
import type { Found, LookUpOptions } from '../../../../webhook/image-config/registry.ts';
import { readMirrors, RegistryHosts } from '../../../../webhook/image-config/registry-hosts.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { startScriptedRegistry } from './scripted-registry.ts';
import type { ScriptedRegistry } from './scripted-registry.ts';

/** What every credential of these tests has for a password. */
const SECRET = 's3cret';

export interface Setting {
  readonly platforms?: string;
  readonly mirrors?: string;
  readonly plainHttp?: readonly string[];
  readonly registries?: readonly string[];
}

export interface Asking extends Partial<LookUpOptions> {
  readonly keyring?: readonly KeyringEntry[];
}

/** Two servers on loopback, the first with an image `app:1`, and clients of them. */
export class Scene {
  readonly clock = new ManualClock();
  readonly registry: ScriptedRegistry;
  other: ScriptedRegistry;
  readonly #closing: (() => Promise<void>)[] = [];

  private constructor(registry: ScriptedRegistry, other: ScriptedRegistry) {
    this.registry = registry;
    this.other = other;
  }

  static async open(): Promise<Scene> {
    return new Scene(await startScriptedRegistry(), await startScriptedRegistry());
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
    await this.registry.close();
    await this.other.close();
  }

  client({ platforms = 'linux/amd64', mirrors = '', plainHttp, registries = ['*'] }: Setting = {}): RegistryClient {
    const hosts = new RegistryHosts({
      registries,
      mirrors: readMirrors(mirrors),
      plainHttp: plainHttp ?? [this.registry.host, this.other.host],
    });
    const { send, close } = createHttp({ hosts, proxies: proxiesOf({}), userAgent: 'test' });
    this.#closing.push(close);
    const wanted = platforms.split(',').map(parsePlatform);
    const { clock } = this;
    return new RegistryClient({ send, hosts, platforms: () => wanted.filter((one) => one !== undefined), clock });
  }

  ask(
    of = this.client(),
    image = `${this.registry.host}/app:1`,
    { keyring = [], ...options }: Asking = {},
  ): Promise<Found> {
    const reference = parseReference(image);
    if (reference === undefined) throw new Error(`no image: ${image}`);
    return of.lookUp(reference, {
      namespace: 'shop',
      candidates: (name) => {
        const found = credentialsFor(name, keyring).map((credential) => ({ credential, isShared: false }));
        return Promise.resolve(found.length > 0 ? found : [{ credential: undefined, isShared: true }]);
      },
      remembered: () => undefined,
      lastDigest: undefined,
      signal: AbortSignal.timeout(5000),
      ...options,
    });
  }

  /** The failure of the same; no message of one may hold a password. */
  async failure(...asked: Parameters<Scene['ask']>): Promise<ImageFailure> {
    const error = await this.ask(...asked).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof ImageFailure)) throw new Error(`no failure: ${String(error)}`);
    expect(error.message).not.to.contain(SECRET);
    return error;
  }
}

export const keys = (pattern: string, ...users: string[]): KeyringEntry[] =>
  users.map((username) => ({ pattern, credential: { username, password: SECRET } }));

/** The header by which such a user shows the password. */
export const basic = (user: string): string => `Basic ${Buffer.from(`${user}:${SECRET}`).toString('base64')}`;
