import { describeError } from '../../kube/errors.ts';
import type { ApiClient } from '../../kube/api-client.ts';
import { serverVersion } from '../../kube/server-version.ts';
import { isTooOld, LACKING, lackingLines, minorOf, USE_A_NEWER_ONE } from '../../core/kubernetes-versions.ts';
import type { Context } from './context.ts';

// Policies wait for the first answer, once.
const TIMEOUT_MS = 2_000;
const AGAIN_MS = 30_000;
// Clusters are upgraded in minutes, a few times a year.
const UPGRADED_MS = 600_000;

export type ApiVersionOptions = Pick<Context, 'logger' | 'clock'> & {
  readonly clientWithin: (timeoutMs: number) => Pick<ApiClient, 'document'>;
  /** Called when `noImageVolumes` is another than at the start. */
  readonly onChange: () => void;
};

/**
 * The version of the API server, and what the operator does without because of it. It says so in the log, once.
 *
 * While a cluster is upgraded, its API servers have two versions. The newest that was seen counts: so it changes once.
 */
export class ApiVersion {
  readonly #options: ApiVersionOptions;
  readonly #stopped = new AbortController();
  #version: string | undefined;

  constructor(options: ApiVersionOptions) {
    this.#options = options;
  }

  /** Why policies cannot have image volumes: an API server that lacks them drops the volume from what it admits. */
  get noImageVolumes(): string | undefined {
    const { since } = LACKING.imageVolumes;
    const version = this.#version;
    const minor = version === undefined ? undefined : minorOf(version);
    if (version === undefined || minor === undefined || minor >= since) return undefined;
    return `Kubernetes ${version} may not have image volumes, which are on since 1.${since}`;
  }

  /** Takes the version that another request has found, so that start() need not ask. */
  learn(version: string): void {
    if (this.#version !== undefined && (minorOf(version) ?? 0) <= (minorOf(this.#version) ?? 0)) return;
    this.#version = version;
    this.#tell(version);
  }

  /** Asks unless it has been learned, and goes on until the answer is final. Never rejects. */
  async start(): Promise<void> {
    if (this.#version === undefined) await this.#look();
    if (!this.#isFinal) void this.#goOn();
  }

  stop(): void {
    this.#stopped.abort();
  }

  get #isFinal(): boolean {
    return this.#version !== undefined && this.noImageVolumes === undefined;
  }

  async #goOn(): Promise<void> {
    const { clock, onChange } = this.#options;
    const { signal } = this.#stopped;
    while (!this.#isFinal) {
      await clock.sleep(this.#version === undefined ? AGAIN_MS : UPGRADED_MS, signal);
      if (signal.aborted) return;
      const before = this.noImageVolumes;
      await this.#look();
      if (this.noImageVolumes !== before) onChange();
    }
  }

  async #look(): Promise<void> {
    const { clientWithin, logger } = this.#options;
    try {
      this.learn(await serverVersion(clientWithin(TIMEOUT_MS)));
    } catch (error) {
      logger.debug({ error: describeError(error) }, 'the version of the API server is not known');
    }
  }

  #tell(kubernetes: string): void {
    const { logger } = this.#options;
    if (isTooOld(kubernetes)) {
      logger.error({ kubernetes }, `the API server is too old: ${USE_A_NEWER_ONE}`);
      return;
    }
    const missing = lackingLines(kubernetes);
    if (missing.length > 0) logger.info({ kubernetes, missing }, 'the API server lacks what a newer one has');
  }
}
