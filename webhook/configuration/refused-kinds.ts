import { KINDS } from '../../core/kinds.ts';
import type { WorkloadKind } from '../../core/kinds.ts';
import { mark } from '../../core/marks.ts';
import type { Clock } from '../../kube/clock.ts';
import { describeError, isRefusal } from '../../kube/errors.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { CONFIGURATION_NAME, CONFIGURATIONS, FIELD_MANAGER } from './configuration.ts';
import type { WebhookConfiguration } from './configuration.ts';
import { ofKinds } from './groups.ts';
import type { Sending } from './sending.ts';

export interface RefusedKindsOptions {
  readonly client: Pick<ObjectClient, 'apply'>;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly logger: Logger;
}

type Build = (sent: Sending) => WebhookConfiguration;

// Somebody who corrects the guard-rail sees it within this time.
const AGAIN_MS = 30_000;

/**
 * Kinds of the setting templates that the API server refuses to have in the webhook configuration, usually because
 * config/guard was not told of them. They are left out: a policy that names one must not keep the configuration as it is
 * for all others. Kinds that are built in are never left out.
 */
export class RefusedKinds {
  readonly #options: RefusedKindsOptions;
  readonly #changed = new Listeners();
  #refused: ReadonlySet<WorkloadKind> = new Set();
  /** By Clock.elapsed(). */
  #lookedAt = -Infinity;

  constructor(options: RefusedKindsOptions) {
    this.#options = options;
  }

  has(kind: WorkloadKind): boolean {
    return this.#refused.has(kind);
  }

  /** Calls `listener` whenever has() returns something else for a kind. */
  onChange(listener: () => void): void {
    this.#changed.add(listener);
  }

  /** Returns what is left of this without them. */
  without(sent: Sending): Sending {
    return this.#refused.size === 0 ? sent : select(sent, (kind) => !this.has(kind));
  }

  /** Returns the milliseconds until lookAgain() asks the API server; undefined: nothing is refused. */
  get againInMs(): number | undefined {
    if (this.#refused.size === 0) return undefined;
    return Math.max(0, this.#lookedAt + AGAIN_MS - this.#options.clock.elapsed());
  }

  /** Looks again, every 30 seconds, whether those are still refused. Rejects with ApiError. */
  async lookAgain(sent: Sending, build: Build): Promise<void> {
    if (this.againInMs === 0) await this.find(sent, build);
  }

  /**
   * Finds by dry runs which kinds are refused. Resolves with whether there are any: false also if the API server refuses
   * the configuration without any of them, so that it is not about them. Rejects with ApiError.
   */
  async find(sent: Sending, build: Build): Promise<boolean> {
    this.#lookedAt = this.#options.clock.elapsed();
    const sets = new Set([...sent.ignore.values(), ...sent.fail.values()]);
    const asked = new Set([...sets].flatMap((kinds) => [...kinds]));
    const added = [...asked].filter((kind) => !Object.hasOwn(KINDS, kind)).sort();
    if (added.length === 0) return this.#set(new Map());
    const others = await this.#refusal(build(select(sent, (kind) => !added.includes(kind))));
    if (others !== undefined) return false;
    const refused = new Map<WorkloadKind, string>();
    for (const kind of added) {
      const refusal = await this.#refusal(build(select(sent, (one) => one === kind)));
      if (refusal !== undefined) refused.set(kind, refusal);
    }
    return this.#set(refused);
  }

  #set(refused: ReadonlyMap<WorkloadKind, string>): boolean {
    const before = this.#refused;
    this.#refused = new Set(refused.keys());
    const { logger } = this.#options;
    for (const [kind, error] of refused) {
      if (!before.has(kind))
        logger.error(
          { configuration: CONFIGURATION_NAME, kind, error },
          `the API server refuses to have workloads of this kind reviewed, so policies do not inject it: name it in the annotation ${mark.templates} of the operator's ServiceAccount (docs/guides/other-kinds.md)`,
        );
    }
    if (before.size !== refused.size || [...before].some((kind) => !refused.has(kind))) this.#changed.notify();
    return refused.size > 0;
  }

  async #refusal(object: WebhookConfiguration): Promise<string | undefined> {
    try {
      await this.#options.client.apply(CONFIGURATIONS, object, { fieldManager: FIELD_MANAGER, dryRun: true });
      return undefined;
    } catch (error) {
      if (isRefusal(error)) return describeError(error);
      throw error;
    }
  }
}

function select(sent: Sending, isWanted: (kind: WorkloadKind) => boolean): Sending {
  return { ignore: ofKinds(sent.ignore, isWanted), fail: ofKinds(sent.fail, isWanted) };
}
