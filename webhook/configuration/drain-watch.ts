import type { Kinds } from '../../core/kinds.ts';
import type { Clock } from '../../kube/clock.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import type { Logger } from '../../kube/log.ts';
import { holdsInjected, injectedKinds } from './injected-workloads.ts';
import type { InjectedCopy } from './injected-workloads.ts';
import { RECHECK_MS } from './namespaces.ts';
import type { NamespaceLedger, Place } from './namespaces.ts';
import { PassLoop } from '../../kube/pass-loop.ts';

export interface DrainWatchOptions {
  readonly client: ObjectClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly ledger: NamespaceLedger;
  /** All kinds that the operator knows; default: those that are built in. */
  readonly table?: Kinds | undefined;
  /** What is known without a list; left out: each look is a list. */
  readonly copy?: InjectedCopy;
  /** Called when the ledger returns less than before. */
  readonly onDropped: () => void;
}

// How soon the copy is looked at again that does not know all workloads yet.
const UNSYNCED_MS = 5_000;

/**
 * Checks what is draining until it has no injected workload. Separate from the writer, which must not wait for
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
    const { client, clock, ledger, table, copy, onDropped } = this.#options;
    if (this.#isSweepDue) {
      const found = copy === undefined ? await injectedKinds(client, table) : copy.injectedKinds();
      // the copy is being listed: a second list of the whole cluster would not be sooner
      if (found === undefined) return UNSYNCED_MS;
      ledger.remember(found, clock.elapsed());
      this.#isSweepDue = false;
      onDropped();
    }
    // what may not be listed of one kind keeps no other here
    const failures: unknown[] = [];
    for (const place of ledger.due(clock.elapsed()))
      await this.#check(place).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    const next = ledger.nextCheckAt();
    return next === undefined ? undefined : Math.max(0, next - clock.elapsed());
  }

  /** What a copy knows is as of when the API server last confirmed it, and what a list says as of when it begins. */
  async #check(place: Place): Promise<void> {
    const { client, clock, ledger, table, logger, copy, onDropped } = this.#options;
    const { namespace, kind } = place;
    const known = copy?.holdsInjected(namespace, kind);
    const seenAt = known === undefined ? clock.elapsed() : (copy?.lastSeen ?? 0);
    const isHeld = known ?? (await holdsInjected(client, namespace, kind, table));
    if (!ledger.checked(place, isHeld, seenAt, clock.elapsed())) return;
    logger.info(
      { namespace, kind },
      'no policy for this kind and no injected workload left: the webhook is no longer called for it in this namespace',
    );
    onDropped();
  }
}
