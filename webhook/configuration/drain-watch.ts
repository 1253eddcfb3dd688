import type { Clock } from '../../kube/clock.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import { holdsInjected, namespacesWithInjected } from './injected-workloads.ts';
import { RECHECK_MS } from './namespaces.ts';
import type { NamespaceLedger } from './namespaces.ts';
import { PassLoop } from '../../kube/pass-loop.ts';

export interface DrainWatchOptions {
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly ledger: NamespaceLedger;
  /** Called when the ledger returns other namespaces than before. */
  readonly onDropped: () => void;
}

/**
 * Checks draining namespaces until they have no injected workload. Separate from the writer, which must not wait for
 * lists.
 */
export class DrainWatch {
  readonly #options: DrainWatchOptions;
  readonly #loop: PassLoop;
  #isSweepDue = false;

  constructor(options: DrainWatchOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#loop = new PassLoop({
      clock,
      random,
      logger,
      what: 'looking for injected workloads in namespaces without policies',
      pass: () => this.#pass(),
      everyMs: RECHECK_MS,
      gapMs: 1_000,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  wake(): void {
    this.#loop.wake();
  }

  /** Looks through the whole cluster once: there is no configuration left that would list the namespaces. */
  sweep(): void {
    this.#isSweepDue = true;
    this.wake();
  }

  async #pass(): Promise<number | undefined> {
    const { client, clock, ledger, logger, onDropped } = this.#options;
    if (this.#isSweepDue) {
      ledger.remember(await namespacesWithInjected(client), clock.now());
      this.#isSweepDue = false;
      onDropped();
    }
    for (const namespace of ledger.due(clock.now())) {
      const startedAt = clock.now();
      const isHeld = await holdsInjected(client, namespace);
      if (!ledger.checked(namespace, isHeld, startedAt)) continue;
      logger.info(
        { namespace },
        'no policy and no injected workload left: the webhook is no longer called for this namespace',
      );
      onDropped();
    }
    const next = ledger.nextCheckAt();
    return next === undefined ? undefined : Math.max(0, next - clock.now());
  }
}
