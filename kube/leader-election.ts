import { atMost } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import { OutageLog } from './outage-log.ts';
import { describeError, isConflict, isNotFound } from './errors.ts';
import { LEASE_HEAD, leasesIn } from './lease.ts';
import type { Lease } from './lease.ts';
import type { Resource } from '../core/object.ts';
import type { ObjectClient } from './object-client.ts';
import { Listeners } from './listeners.ts';
import { toKubernetesMicroTime } from '../core/time.ts';

/** Whether this process is the one that may write what only the leader writes. */
export interface Leadership {
  readonly isLeader: boolean;
  /** Calls `listener` after each change. The listener must only note it. */
  onChange(listener: (leading: boolean) => void): void;
}

export interface LeaderElectionOptions {
  readonly client: Pick<ObjectClient, 'get' | 'create' | 'replace'>;
  /** Namespace and name of the Lease. */
  readonly namespace: string;
  readonly name: string;
  /** Unique to each process, even on one host. */
  readonly identity: string;
  /**
   * Returns whether this process may lead; default: always. One that leads and no longer may stops to, and releases the
   * lease a little later, so that another takes over. It must return true in some process, or none will lead.
   */
  readonly mayLead?: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Where failures are logged (default: a log of its own). */
  readonly outages?: OutageLog | undefined;
}

const WHAT = 'acquiring or renewing the leader election lease';

// As in client-go: the holder stops (renew) well before others may take the lease (lease), however long its requests
// hang; in between it has several attempts (retry).
const LEASE_MS = 15_000;
const RENEW_MS = 10_000;
const RETRY_MS = 2_000;
// Makes the attempts of several processes drift apart; client-go waits up to 2.2 times as long, which leaves few
// attempts.
const JITTER = 0.2;
// What a leader has begun to write may still be under way when it stops to lead: the same margin as above.
const RELEASE_MS = LEASE_MS - RENEW_MS;

/**
 * Leader election by a Lease (coordination.k8s.io/v1), as in client-go: no clocks are compared; each process counts
 * from when it saw the lease change. A leader counts from before its request, the others from after the response: so it
 * has stopped before they begin.
 */
export class LeaderElection implements Leadership {
  readonly #options: LeaderElectionOptions;
  readonly #resource: Resource;
  readonly #outages: OutageLog;
  readonly #stopped = new AbortController();
  readonly #listeners = new Listeners<[leading: boolean]>();
  /** The last seen version of the lease, and when (Clock.elapsed()) it was first seen. */
  #seen: { readonly version: string | undefined; readonly at: number } | undefined;
  /** When the last successful renewal began, by Clock.elapsed(). */
  #renewedAt = 0;
  #leading = false;
  /** When it stopped to lead because it no longer may, by Clock.elapsed(); undefined once the lease is released. */
  #resignedAt: number | undefined;
  /** The lease as this process wrote it last, while nothing has shown that somebody else has written it since. */
  #held: Lease | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#outages = options.outages ?? new OutageLog(options);
    const { namespace } = options;
    this.#resource = leasesIn(namespace);
  }

  /** Also false if the process was blocked for so long that it has not stepped down yet. */
  get isLeader(): boolean {
    return this.#leading && this.#options.clock.elapsed() - this.#renewedAt < RENEW_MS;
  }

  onChange(listener: (leading: boolean) => void): void {
    this.#listeners.add(listener);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Releases the lease, so that others need not wait until it expires. The leader's work must have stopped before. */
  async stop(): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const { clock } = this.#options;
    this.#stopped.abort();
    // do not wait for an attempt that hangs: the lease expires by itself
    await atMost(clock, RETRY_MS, this.#running ?? Promise.resolve());
    this.#become(false, 'stopping');
    // even if it does not lead: an attempt may just have acquired the lease
    await atMost(clock, RETRY_MS, this.#release());
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#attempt();
      await clock.sleep(RETRY_MS * (1 + JITTER * random()), signal);
    }
  }

  async #attempt(): Promise<void> {
    const begunAt = this.#options.clock.elapsed();
    if (this.#options.mayLead?.() === false) {
      await this.#resign(begunAt);
      return;
    }
    this.#resignedAt = undefined;
    try {
      const held = await this.#acquireOrRenew();
      this.#outages.worked(WHAT, '');
      if (!held) this.#become(false, 'another process holds the lease');
      else this.#renewed(begunAt);
    } catch (error) {
      // losing the race is normal in an election
      if (isConflict(error)) return;
      this.#outages.failed(WHAT, '', error);
    }
  }

  /** Stops to lead if it does; releases the lease once nothing that the leader has begun can be under way. */
  async #resign(now: number): Promise<void> {
    if (this.#leading) {
      this.#become(false, 'this process may not lead at present');
      this.#resignedAt = now;
    } else if (this.#resignedAt !== undefined && now - this.#resignedAt >= RELEASE_MS) {
      this.#resignedAt = undefined;
      this.#held = undefined;
      await this.#release();
    }
  }

  /** Resolves with true if this process now holds the lease. Rejects with ApiError. */
  async #acquireOrRenew(): Promise<boolean> {
    return (await this.#renewUnread()) || (await this.#readAndTake());
  }

  /**
   * Renews the lease as this process wrote it last, without reading it: the API server refuses that where somebody else
   * has written it since. False: it has to be read.
   */
  async #renewUnread(): Promise<boolean> {
    const held = this.#held;
    if (held === undefined) return false;
    this.#held = undefined; // where the answer gets lost, nobody knows which version it has
    try {
      await this.#write(held, { ...held.spec, renewTime: toKubernetesMicroTime(this.#options.clock.now()) });
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  }

  async #readAndTake(): Promise<boolean> {
    const { client, clock, name, namespace, identity } = this.#options;
    const lease = await client.get<Lease>(this.#resource, name);
    const now = clock.elapsed();
    if (lease === undefined) {
      const metadata = { name, namespace };
      this.#held = await client.create<Lease>(this.#resource, { ...LEASE_HEAD, metadata, spec: this.#holding(0) });
      return true;
    }
    const { holderIdentity = '', leaseDurationSeconds, leaseTransitions = 0 } = lease.spec ?? {};
    const { resourceVersion } = lease.metadata;
    if (this.#seen?.version !== resourceVersion) this.#seen = { version: resourceVersion, at: now };
    const mine = holderIdentity === identity;
    const validMs = leaseDurationSeconds === undefined ? LEASE_MS : leaseDurationSeconds * 1000;
    if (!mine && holderIdentity !== '' && now - (this.#seen?.at ?? now) < validMs) return false;
    const spec = mine
      ? { ...lease.spec, leaseDurationSeconds: LEASE_MS / 1000, renewTime: toKubernetesMicroTime(clock.now()) }
      : this.#holding(leaseTransitions + 1);
    await this.#write(lease, spec);
    return true;
  }

  async #write(lease: Lease, spec: Lease['spec']): Promise<void> {
    this.#held = await this.#options.client.replace<Lease>(this.#resource, { ...lease, spec });
  }

  #holding(leaseTransitions: number): Lease['spec'] {
    const { identity: holderIdentity, clock } = this.#options;
    const leaseDurationSeconds = LEASE_MS / 1000;
    const time = toKubernetesMicroTime(clock.now());
    return { holderIdentity, leaseDurationSeconds, acquireTime: time, renewTime: time, leaseTransitions };
  }

  #renewed(begunAt: number): void {
    if (this.#stopped.signal.aborted) return;
    const leftMs = begunAt + RENEW_MS - this.#options.clock.elapsed();
    // the response came too late: the lease is ours, and the next renewal will confirm that in time
    if (leftMs <= 0) return;
    this.#renewedAt = begunAt;
    this.#become(true, 'holding the lease');
    void this.#stepDownUnlessRenewed(begunAt, leftMs);
  }

  async #stepDownUnlessRenewed(begunAt: number, afterMs: number): Promise<void> {
    const { signal } = this.#stopped;
    await this.#options.clock.sleep(afterMs, signal);
    if (signal.aborted || this.#renewedAt !== begunAt) return;
    this.#become(false, 'the lease could not be renewed in time');
  }

  #become(leading: boolean, why: string): void {
    if (this.#leading === leading) return;
    this.#leading = leading;
    this.#options.logger.info({ leading, why }, leading ? 'leading' : 'no longer leading');
    this.#listeners.notify(leading);
  }

  async #release(): Promise<void> {
    const { client, clock, name, identity, logger } = this.#options;
    try {
      const lease = await client.get<Lease>(this.#resource, name);
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = {
        ...lease.spec,
        holderIdentity: '',
        leaseDurationSeconds: 1,
        renewTime: toKubernetesMicroTime(clock.now()),
      };
      await client.replace(this.#resource, { ...lease, spec });
    } catch (error) {
      logger.warn({ error: describeError(error) }, 'the lease could not be released: it expires by itself');
    }
  }
}
