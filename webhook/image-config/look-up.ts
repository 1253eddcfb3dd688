/** Assembles the look-up that admission uses from the operator's settings. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Registry as Register } from 'prom-client';
import { readList } from '../../core/list.ts';
import { faultOfCertificates, normalizedBundle } from '../../core/pem.ts';
import type { Clock } from '../../kube/clock.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import { readDockerConfigJson } from './docker-config.ts';
import type { KeyringEntry } from './docker-config.ts';
import { createHttp } from './http.ts';
import type { Proxies } from './http.ts';
import { ImageConfigs } from './image-configs.ts';
import { createImageMetrics } from './metrics.ts';
import { NodePlatforms } from './node-platforms.ts';
import { parsePlatform } from './platform.ts';
import { pullSecretReader } from './pull-secrets.ts';
import { RegistryClient } from './registry.ts';
import { readMirrors, RegistryHosts } from './registry-hosts.ts';

/** Texts as in the operator's settings. */
export interface ImageSettings {
  readonly registries: string;
  readonly registryMirrors: string;
  readonly registryPlainHttp: string;
  readonly registryCa: string;
  readonly registryConfig: string;
  readonly nodePlatforms: string;
}

export interface ImageLookUpOptions extends ImageSettings {
  readonly client: Pick<ObjectClient, 'get' | 'list'>;
  readonly userAgent: string;
  readonly proxies: Proxies;
  /** For metrics. */
  readonly register: Register;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
}

export interface ImageLookUp {
  readonly configs: ImageConfigs;
  /** Resolves when the platforms of the nodes are known, or cannot be. Never rejects. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Throws the system's error if the file of authorities cannot be read, or an error that says what is wrong with it. */
export function createImageLookUp(options: ImageLookUpOptions): ImageLookUp {
  const { userAgent, clock, client } = options;
  const hosts = new RegistryHosts({
    registries: readList(options.registries),
    mirrors: readMirrors(options.registryMirrors),
    plainHttp: readList(options.registryPlainHttp),
  });
  const authorities = options.registryCa === '' ? {} : { authorities: readAuthorities(options.registryCa) };
  const { send, close } = createHttp({ hosts, userAgent, proxies: options.proxies, ...authorities });
  const fixed = readList(options.nodePlatforms).map(parsePlatform);
  const platforms = new NodePlatforms({ ...options, fixed: fixed.filter((one) => one !== undefined) });
  const configs = new ImageConfigs({
    registry: new RegistryClient({ send, hosts, platforms: () => platforms.current, clock }),
    pullSecrets: pullSecretReader(client),
    ownEntries: () => ownEntries(options),
    metrics: createImageMetrics(options.register),
    clock,
  });
  const stop = async (): Promise<void> => {
    await platforms.stop();
    await close();
  };
  return { configs, start: () => platforms.start(), stop };
}

function readAuthorities(path: string): string {
  const bundle = readFileSync(path, 'utf8');
  const fault = faultOfCertificates(bundle);
  if (fault !== undefined) throw new Error(`the file of setting registryCa, ${path}: ${fault}`);
  return normalizedBundle(bundle);
}

/** A file that is missing or being replaced must not affect images that need no credentials. */
async function ownEntries({ registryConfig, logger }: ImageLookUpOptions): Promise<readonly KeyringEntry[]> {
  if (registryConfig === '') return [];
  try {
    return readDockerConfigJson(await readFile(registryConfig, 'utf8'));
  } catch (error) {
    logger.warn({ code: (error as NodeJS.ErrnoException).code }, 'cannot read the file of setting registryConfig');
    return [];
  }
}
