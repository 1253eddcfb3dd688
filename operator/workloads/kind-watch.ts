import { unlessAborted } from '../../kube/clock.ts';
import { API_SERVER_BACKOFF, Backoff } from '../../kube/backoff.ts';
import { describeError, isForbidden, isNotFound } from '../../kube/errors.ts';
import { Informer } from '../../kube/informer.ts';
import type { InformerOptions } from '../../kube/informer.ts';
import { ApiError } from '../../kube/object-client.ts';
import { isGoing } from '../../kube/restartable.ts';
import { OutageLog } from '../../kube/outage-log.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { TokenBucket } from '../../kube/token-bucket.ts';
import type { Store } from '../../kube/object-store.ts';

/** Why nothing is known of a kind: the API server does not know it, or does not let the operator list it. */
export type KindProblem = 'NotServed' | 'Forbidden';

export interface KindWatchOptions extends Omit<InformerOptions<KubernetesObject>, 'onChange'> {
  readonly store: Store<KubernetesObject>;
  /** Called whenever `problem` has changed. */
  readonly onProblem: () => void;
}

// Each begins with a list of the whole cluster, and anybody who writes policies can want it and not, again and again.
const PACE = { burst: 3, everyMs: 120_000 };

/**
 * The watch of a kind that is wanted at some times and not at others. It asks the API server for the kind before it
 * begins, and goes on asking until it gets an answer: a CRD may be installed later than the operator, and removed while it
 * runs. What is not wanted, or not served any more, is dropped from the store.
 */
export class KindWatch {
  readonly #options: KindWatchOptions;
  readonly #outages: OutageLog;
  readonly #begins: TokenBucket;
  #informer: Informer | undefined;
  #problem: KindProblem | undefined;
  #isWanted = false;
  #ended = new AbortController();
  #work: Promise<void> = Promise.resolve();

  constructor(options: KindWatchOptions) {
    this.#options = options;
    this.#outages = options.outages ?? new OutageLog(options);
    this.#begins = new TokenBucket({ clock: options.clock, ...PACE });
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Undefined while it is not wanted, too. */
  get problem(): KindProblem | undefined {
    return this.#problem;
  }

  /** Whether all of the kind has been listed, or cannot be. False while it is not wanted. */
  get synced(): boolean {
    return this.#isWanted && (this.#problem !== undefined || this.#informer?.synced === true);
  }

  /** As Informer.lastSeen; undefined while nothing is watched. */
  get lastSeen(): number | undefined {
    return this.#informer?.lastSeen;
  }

  /** Begins or ends it. */
  want(isWanted: boolean): void {
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    this.#ended.abort();
    this.#problem = undefined;
    this.#informer = undefined;
    if (isWanted) {
      const ended = new AbortController();
      this.#ended = ended;
      this.#work = this.#work.then(() => this.#run(ended.signal));
    } else this.#work = this.#work.then(() => this.#dropAll());
  }

  /** Ends it for good, and drops nothing. Resolves when nothing is stored any more. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#work;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (isGoing(signal) && !this.#begins.take()) await clock.sleep(this.#begins.waitMs, signal);
    const backoff = new Backoff(API_SERVER_BACKOFF, random);
    while (isGoing(signal)) {
      if (await this.#isServed(signal)) {
        backoff.reset();
        await this.#watch(signal);
      } else if (isGoing(signal)) await clock.sleep(backoff.next(), signal);
    }
  }

  async #isServed(signal: AbortSignal): Promise<boolean> {
    const { client, resource } = this.#options;
    const what = `watching ${resource.plural}`;
    try {
      await unlessAborted(client.list(resource, { limit: 1 }), signal, () => new ApiError(0, 'Aborted', 'stopped'));
      this.#outages.worked(what, '');
      this.#found(undefined);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (isNotFound(error)) await this.#dropAll();
      if (isNotFound(error) || isForbidden(error)) this.#found(isNotFound(error) ? 'NotServed' : 'Forbidden', error);
      else this.#outages.failed(what, '', error);
      return false;
    }
  }

  /** Watches until it is not wanted any more, or the API server does not know the kind any more. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { observer } = this.#options;
    const lost = new AbortController();
    const informer = new Informer({
      ...this.#options,
      observer: {
        ...observer,
        onRetry: (error, delayMs) => {
          observer?.onRetry?.(error, delayMs);
          if (isNotFound(error)) lost.abort();
        },
      },
      onChange: () => undefined, // the store has noted it
    });
    this.#informer = informer;
    informer.start();
    await aborted(AbortSignal.any([signal, lost.signal]));
    await informer.stop();
    this.#informer = undefined;
  }

  /** Tells once that a problem has come, or has gone. */
  #found(problem: KindProblem | undefined, error?: unknown): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { logger, resource, onProblem, onSynced } = this.#options;
    const line = { resource: resource.plural, group: resource.group };
    if (problem === undefined) logger.info(line, 'a kind of workloads can be watched now');
    else logger.warn({ ...line, error: describeError(error) }, 'a kind of workloads cannot be watched, will retry');
    onProblem();
    if (problem !== undefined) onSynced?.();
  }

  async #dropAll(): Promise<void> {
    const slices = this.#options.store.retain(new Set(), '');
    for (const changes of slices) if (changes.length > 0) await Promise.resolve();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
