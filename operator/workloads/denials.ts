import type { Clock } from '../../kube/clock.ts';
import { describeError, isNotFound, isRefusal } from '../../kube/errors.ts';
import { partsOfKey } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { toKubernetesTime } from '../../core/time.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { Logger } from '../../kube/log.ts';
import { POLICIES } from '../policies/reconciler.ts';

/**
 * Owner of status.lastDenial in managedFields: not that of the other status fields, which another replica may be
 * writing.
 */
export const DENIAL_FIELD_MANAGER = 'vault-injection-operator-denials';

/** A workload that admission denied. */
export interface DeniedWorkload {
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  readonly message: string;
}

export interface DenialsOptions {
  readonly client: Pick<ObjectClient, 'apply'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

interface Noted extends DeniedWorkload {
  /** Milliseconds since the epoch. */
  readonly time: number;
}

// Users look at the policy after a denial: the first one is written at once.
const EVERY_MS = 10_000;
// A controller that retries the same says nothing new.
const SAME_EVERY_MS = 60_000;
// As the CRD allows.
const LONGEST_MESSAGE = 1_000;

/** Writes status.lastDenial of policies. The replica that denied writes it, because no other knows about it. */
export class Denials {
  readonly #options: DenialsOptions;
  readonly #noted = new Map<string, Noted>();
  readonly #written = new Map<string, Noted>();
  readonly #queue: WorkQueue;

  constructor(options: DenialsOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ process: (policyKey) => this.#write(policyKey), clock, random, logger });
  }

  /** Notes that a workload of this policy (`namespace/name`) was just denied. */
  note(policyKey: string, denied: DeniedWorkload): void {
    const now = this.#options.clock.now();
    const written = this.#written.get(policyKey);
    this.#noted.set(policyKey, { ...denied, message: denied.message.slice(0, LONGEST_MESSAGE), time: now });
    const pause = written !== undefined && isSame(written, denied) ? SAME_EVERY_MS : EVERY_MS;
    const inMs = written === undefined ? 0 : Math.max(0, written.time + pause - now);
    this.#queue.addAfter(policyKey, inMs);
  }

  /** Forgets a policy that is gone. */
  forget(policyKey: string): void {
    this.#queue.forget(policyKey);
    this.#noted.delete(policyKey);
    this.#written.delete(policyKey);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #write(policyKey: string): Promise<void> {
    const noted = this.#noted.get(policyKey);
    if (noted === undefined) return;
    const { client, logger } = this.#options;
    const { namespace, name } = partsOfKey(policyKey);
    const { kind, reason, message } = noted;
    const time = toKubernetesTime(noted.time);
    const object: KubernetesObject = {
      apiVersion: `${POLICIES.group}/${POLICIES.version}`,
      kind: 'VaultInjectionPolicy',
      metadata: { name, namespace },
      status: { lastDenial: { time, kind, name: noted.name, reason, message } },
    };
    this.#noted.delete(policyKey);
    try {
      const options = { fieldManager: DENIAL_FIELD_MANAGER, subresource: 'status' };
      await client.apply({ ...POLICIES, namespace }, object, options);
      this.#written.set(policyKey, noted);
    } catch (error) {
      if (isRefusal(error)) {
        // not found: the policy is gone
        if (!isNotFound(error))
          logger.warn({ policy: policyKey, error: describeError(error) }, 'a denial could not be reported');
        return;
      }
      // the queue retries, with the newest one
      if (!this.#noted.has(policyKey)) this.#noted.set(policyKey, noted);
      throw error;
    }
  }
}

function isSame(a: DeniedWorkload, b: DeniedWorkload): boolean {
  return a.kind === b.kind && a.name === b.name && a.reason === b.reason && a.message === b.message;
}
