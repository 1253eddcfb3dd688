import type { Clock } from '../../kube/clock.ts';
import { itemsOf } from '../../kube/items.ts';
import { jittered } from '../../kube/jitter.ts';
import { compareText } from '../../core/order.ts';
import { coreResource } from '../../core/resources.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import { OutageLog } from '../../kube/outage-log.ts';
import { parsePlatform, platformName } from './platform.ts';
import type { Platform } from './platform.ts';

export interface NodePlatformsOptions {
  readonly client: Pick<ObjectClient, 'list'>;
  /** Platforms from the settings: if there are any, nodes are not listed. */
  readonly fixed: readonly Platform[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
}

const NODES = coreResource('Node');
// The most common platform, for when nodes cannot be listed or there are none yet.
const UNKNOWN: readonly Platform[] = [{ os: 'linux', architecture: 'amd64', variant: '' }];
// Pools of another architecture are added deliberately and rarely; an image starts the same program on both.
const EVERY_MS = 3_600_000;
const AGAIN_MS = 60_000;
// Metadata of a node are about 2 kB.
const PAGE = 500;
const WHAT = 'listing nodes for their platforms';

/** The platforms of the cluster's nodes, from the labels that kubelets set, the most common first. */
export class NodePlatforms {
  readonly #options: NodePlatformsOptions;
  readonly #stopped = new AbortController();
  readonly #outages: OutageLog;
  #platforms: readonly Platform[];
  #done: Promise<void> = Promise.resolve();

  constructor(options: NodePlatformsOptions) {
    this.#options = options;
    this.#outages = options.outages ?? new OutageLog(options);
    this.#platforms = options.fixed.length > 0 ? options.fixed : UNKNOWN;
  }

  get current(): readonly Platform[] {
    return this.#platforms;
  }

  /** Resolves when the nodes have been listed, or cannot be; continues to look until stop(). Never rejects. */
  async start(): Promise<void> {
    if (this.#options.fixed.length > 0) return;
    this.#done = this.#goOn(await this.#look());
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#done;
  }

  async #goOn(hasWorked: boolean): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopped;
    for (let isKnown = hasWorked; ; isKnown = await this.#look()) {
      await clock.sleep(jittered(isKnown ? EVERY_MS : AGAIN_MS, random), signal);
      if (signal.aborted) return;
    }
  }

  /** Resolves with false if the nodes could not be listed. */
  async #look(): Promise<boolean> {
    const { logger } = this.#options;
    try {
      const found = await this.#list();
      this.#outages.worked(WHAT, '');
      const names = (platforms: readonly Platform[]): string => platforms.map(platformName).join(',');
      if (found.length === 0 || names(found) === names(this.#platforms)) return true;
      this.#platforms = found;
      logger.info({ platforms: names(found) }, 'multi-platform images are looked up for the platforms of the nodes');
      return true;
    } catch (error) {
      if (this.#stopped.signal.aborted) return false;
      const advice = 'set nodePlatforms, or allow the operator to list nodes (config/rbac)';
      this.#outages.failed(WHAT, '', error, { platforms: this.#platforms.map(platformName), advice });
      return false;
    }
  }

  async #list(): Promise<readonly Platform[]> {
    const counts = new Map<string, number>();
    for await (const { metadata } of itemsOf(this.#options.client, NODES, { limit: PAGE, metadataOnly: true })) {
      const { labels = {} } = metadata;
      // vault-env, and so injection, is for Linux
      if (labels['kubernetes.io/os'] !== 'linux') continue;
      const name = `linux/${labels['kubernetes.io/arch'] ?? ''}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    // by name if the counts are equal, so that all replicas agree
    const sorted = [...counts].sort(([a, x], [b, y]) => y - x || compareText(a, b));
    return sorted.map(([name]) => parsePlatform(name)).filter((platform) => platform !== undefined);
  }
}
