import type { Clock } from '../../kube/clock.ts';
import { describeError, isNotFound, isRefusal } from '../../kube/errors.ts';
import { asObject, asString } from '../../core/json.ts';
import { partsOfKey } from '../../core/object.ts';
import type { KubernetesObject } from '../../core/object.ts';
import type { ObjectClient } from '../../kube/object-client.ts';
import { toKubernetesTime } from '../../core/time.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { Logger } from '../../kube/log.ts';
import { POLICIES } from '../policies/reconciler.ts';
import { compareDenials } from '../replicas/state.ts';
import type { PublishedDenial } from '../replicas/state.ts';

/** Owner of status.lastDenial in managedFields: not that of the other status fields, which are applied as a whole. */
export const DENIAL_FIELD_MANAGER = 'vault-injection-operator-denials';

export interface DenialsOptions {
  readonly client: Pick<ObjectClient, 'get' | 'apply'>;
  /** Only the leader writes. */
  readonly isLeader: () => boolean;
  /** Returns the newest denial of each policy that any replica tells of, its own included. */
  readonly denied: () => readonly PublishedDenial[];
  /** Called once for each denial that was written. */
  readonly onWritten: (denial: PublishedDenial) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

type Denial = Omit<PublishedDenial, 'policy'>;

interface Written {
  readonly denial: Denial;
  /** By Clock.elapsed(); undefined if somebody else has written it. */
  readonly at: number | undefined;
}

// Users look at the policy after a denial: the first one is written at once.
const EVERY_MS = 10_000;

/**
 * Writes status.lastDenial of policies, from what all replicas tell: it takes the newest. What the status already says is
 * not written again, so that a new leader repeats nothing.
 */
export class Denials {
  readonly #options: DenialsOptions;
  /** Key: policy. */
  readonly #written = new Map<string, Written>();
  readonly #queue: WorkQueue;

  constructor(options: DenialsOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#queue = new WorkQueue({ process: (policyKey) => this.#write(policyKey), clock, random, logger });
  }

  /** Call it when what denied() returns has changed, or the leader. */
  look(): void {
    const { isLeader, denied, clock } = this.#options;
    if (!isLeader()) {
      // the next time it leads, the statuses tell what others have written
      this.#written.clear();
      return;
    }
    for (const denial of denied()) {
      const written = this.#written.get(denial.policy);
      if (written !== undefined && compareDenials(denial, written.denial) <= 0) continue;
      const inMs = written?.at === undefined ? 0 : Math.max(0, written.at + EVERY_MS - clock.elapsed());
      this.#queue.addAfter(denial.policy, inMs);
    }
  }

  /** Forgets a policy that is gone. */
  forget(policyKey: string): void {
    this.#queue.forget(policyKey);
    this.#written.delete(policyKey);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #write(policyKey: string): Promise<void> {
    const { isLeader, denied, logger, onWritten, clock } = this.#options;
    if (!isLeader()) return;
    const denial = denied().find(({ policy }) => policy === policyKey);
    if (denial === undefined) return;
    try {
      const known = this.#written.get(policyKey)?.denial ?? (await this.#alreadyTold(denial));
      if (known !== undefined && compareDenials(denial, known) <= 0) {
        if (!this.#written.has(policyKey)) this.#written.set(policyKey, { denial: known, at: undefined });
        return;
      }
      await this.#apply(denial);
      this.#written.set(policyKey, { denial, at: clock.elapsed() });
      onWritten(denial);
    } catch (error) {
      // the queue retries, with the newest one
      if (!isRefusal(error)) throw error;
      this.#written.set(policyKey, { denial, at: clock.elapsed() });
      // not found: the policy is gone
      if (!isNotFound(error))
        logger.warn({ policy: policyKey, error: describeError(error) }, 'a denial could not be reported');
    }
  }

  /**
   * Returns what the status says already; of a policy that is younger than the denial, the denial itself, because it was
   * of another policy of that name. Rejects with ApiError.
   */
  async #alreadyTold(denial: PublishedDenial): Promise<Denial | undefined> {
    const { namespace, name } = partsOfKey(denial.policy);
    const policy = await this.#options.client.get({ ...POLICIES, namespace }, name);
    if (Date.parse(policy?.metadata.creationTimestamp ?? '') > Date.parse(denial.time)) return denial;
    const last = asObject(asObject(policy?.status)?.lastDenial);
    const text = (field: string): string => asString(last?.[field]) ?? '';
    const [time, kind, reason, message] = [text('time'), text('kind'), text('reason'), text('message')];
    return Number.isNaN(Date.parse(time)) ? undefined : { time, kind, name: text('name'), reason, message };
  }

  async #apply({ policy, time, kind, name, reason, message }: PublishedDenial): Promise<void> {
    const { namespace, name: policyName } = partsOfKey(policy);
    const object: KubernetesObject = {
      apiVersion: `${POLICIES.group}/${POLICIES.version}`,
      kind: 'VaultInjectionPolicy',
      metadata: { name: policyName, namespace },
      status: { lastDenial: { time: toKubernetesTime(Date.parse(time)), kind, name, reason, message } },
    };
    const options = { fieldManager: DENIAL_FIELD_MANAGER, subresource: 'status' };
    await this.#options.client.apply({ ...POLICIES, namespace }, object, options);
  }
}
