import type { Clock } from '../../kube/clock.ts';
import { coreResource } from '../../core/resources.ts';
import { Listeners } from '../../kube/listeners.ts';
import type { Logger } from '../../kube/log.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { PassLoop } from '../../kube/pass-loop.ts';
import { FIELD_MANAGER } from '../configuration/configuration.ts';
import { probeObject } from './answer.ts';
import type { ProbeMetrics } from './metrics.ts';
import { afterProbe, NOTHING_KNOWN } from './reachability.ts';
import type { Finding, Reachability } from './reachability.ts';
import { shownBy, shownByError } from './result.ts';
import type { Probed, Shown } from './result.ts';

export interface ProberOptions {
  readonly client: Pick<ObjectClient, 'apply'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** The operator's own, where the probe would be. */
  readonly namespace: string;
  /** The labels of every object of the operator. */
  readonly labels: Readonly<Record<string, string>>;
  /** Whether API servers have the entry of the probe. */
  readonly isProgrammed: () => boolean;
  /** Where the webhook listens, for people who write firewall rules. */
  readonly port: number;
  readonly metrics: ProbeMetrics;
}

const EVERY_MS = 30_000;
// Someone who repairs a firewall or a Service waits for the answer.
const FAILING_EVERY_MS = 2_000;
const LONG_FAILING_EVERY_MS = 5_000;
const LONG_FAILING = 10;
// An API server that does not call yet mostly does within a quarter of a second.
const NOT_CALLED_EVERY_MS = 500;
const NOT_CALLED_OFTEN = 5;

/**
 * Finds out whether API servers reach the webhook: has one create an object that only the webhook's own entry matches,
 * as a dry run, and looks whether the webhook has put its mark on it. For the leader alone; after stop() it may be
 * started again.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #loop: PassLoop;
  readonly #listeners = new Listeners();
  #known: Reachability = NOTHING_KNOWN;
  /** By Clock.elapsed(). */
  #dueAt = -Infinity;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#loop = new PassLoop({
      ...options,
      what: 'probing the webhook',
      pass: () => this.pass(),
      everyMs: EVERY_MS,
      gapMs: NOT_CALLED_EVERY_MS,
    });
    options.metrics.watchReachable(() => this.#known.finding?.status);
  }

  /** The condition WebhookReachable; undefined while this replica has found out nothing. */
  get finding(): Finding | undefined {
    return this.#known.finding;
  }

  /** Whether the webhook has been reached once since this process started. */
  get hasBeenReached(): boolean {
    return this.#known.hasBeenReached;
  }

  /** Starts with a probe at once: what an earlier leader found out may be old. */
  start(): void {
    this.#dueAt = -Infinity;
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    // another replica finds out from now on
    this.#known = { ...NOTHING_KNOWN, hasBeenReached: this.#known.hasBeenReached };
  }

  /** Call it when isProgrammed may return something else. */
  wake(): void {
    this.#loop.wake();
  }

  /** Calls `listener` after changes of `finding` and `hasBeenReached`. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** One probe, if it is due; start() makes one after another. Resolves with the milliseconds until the next. */
  async pass(): Promise<number | undefined> {
    const { clock, isProgrammed } = this.#options;
    const restMs = this.#dueAt - clock.elapsed();
    if (restMs > 0) return restMs;
    // without the entry the object would be accepted unseen: nothing to ask for
    if (!isProgrammed()) {
      this.#note({ result: 'NotProgrammed', text: '' });
      return FAILING_EVERY_MS;
    }
    const probed = await this.#probe();
    this.#note(probed);
    const waitMs = waitAfter(probed, this.#known.failures);
    this.#dueAt = clock.elapsed() + waitMs;
    return waitMs;
  }

  async #probe(): Promise<Shown> {
    const { client, namespace, labels, metrics } = this.#options;
    const object = probeObject(namespace, labels);
    const shown = await client
      .apply(coreResource('ConfigMap', namespace), object, { fieldManager: FIELD_MANAGER, dryRun: true })
      .then(shownBy, shownByError);
    metrics.probed(shown.result);
    return shown;
  }

  #note(probed: Probed): void {
    const { clock, logger } = this.#options;
    const before = this.#known;
    this.#known = afterProbe(before, probed, { now: clock.elapsed(), port: this.#options.port });
    const { finding, hasBeenReached } = this.#known;
    if (finding !== undefined && finding !== before.finding && finding.message !== before.finding?.message) {
      const line = { reason: finding.reason };
      if (finding.status === 'True') logger.info(line, finding.message);
      else logger.error(line, `API servers do not reach the webhook: ${finding.message}`);
    } else if (finding === before.finding && hasBeenReached === before.hasBeenReached) return;
    this.#listeners.notify();
  }
}

function waitAfter({ result }: Shown, failures: number): number {
  if (result === 'Reached') return EVERY_MS;
  if (result === 'Unanswered') return LONG_FAILING_EVERY_MS;
  if (result === 'NotCalled' && failures <= NOT_CALLED_OFTEN) return NOT_CALLED_EVERY_MS;
  return failures > LONG_FAILING ? LONG_FAILING_EVERY_MS : FAILING_EVERY_MS;
}
