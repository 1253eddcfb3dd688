import type { Clock } from '../../kube/clock.ts';
import { Backoff, type BackoffLimits } from '../../kube/backoff.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { Logger } from '../../kube/log.ts';
import type { OutageLog } from '../../kube/outage-log.ts';
import type { VaultIdentity } from '../vault-identities.ts';
import type { MetadataAnswer, MetadataPort } from '../vault/metadata-port.ts';
import { VaultFailure } from '../vault/metadata-port.ts';
import { partsOfKey } from '../../core/object.ts';
import { VaultSession } from './vault-session.ts';

export interface PollerObserver {
  onPoll?(result: MetadataAnswer['kind'] | VaultFailure['kind']): void;
  onLogin?(worked: boolean): void;
}

export interface VersionPollerOptions {
  readonly vaults: MetadataPort;
  /** Resolves with a fresh token to log in with as this identity. Rejects with VaultFailure. */
  readonly jwt: (identity: VaultIdentity) => Promise<string>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly outages?: OutageLog;
  /** Called with the users of paths and Vaults whose answers have changed. */
  readonly onChange: (users: readonly string[]) => void;
  readonly observer?: PollerObserver;
}

interface Poll {
  readonly path: string;
  /** Their intervals, in milliseconds. */
  readonly users: Map<string, number>;
  /** By Clock.elapsed(), as is askedAt. */
  due: number;
  askedAt?: number;
  answer?: MetadataAnswer;
}

interface Polling {
  /** The name of the identity: one session for each. */
  readonly id: string;
  readonly address: string;
  readonly session: VaultSession;
  readonly polls: Map<string, Poll>;
  readonly backoff: Backoff;
  /** No request is made before this time, by Clock.elapsed(). */
  notBefore: number;
  failure: VaultFailure | undefined;
}

/** Vaults asked at the same time: enough even if some time out. */
const VAULTS_AT_ONCE = 8;
/** Requests to one Vault at a time. */
export const REQUESTS = 4;
// A Vault that recovers is asked within half a minute; one that does not gets two requests a minute.
const BACKOFF: BackoffLimits = { initialMs: 1_000, maxMs: 30_000 };
// What is due within it is asked in one round.
const ROUND_MS = 500;
// So many paths are asked for in one round, and the answers are told when it is over: some 250 ms at 2 ms each.
const MOST_IN_ROUND = 500;
const WHAT = 'reading versions of secrets';

/**
 * Polls the newest version at each path that has users. One poll serves all users of a path, at the shortest of their
 * intervals. A Vault that does not answer is retried with one request after a growing delay; the others wait until it
 * succeeds. So a Vault that recovers is asked once for each path, four at a time.
 */
export class VersionPoller {
  readonly #options: VersionPollerOptions;
  readonly #queue: WorkQueue;
  readonly #pollings = new Map<string, Polling>();
  readonly #pollingOf = new Map<string, string>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: VersionPollerOptions) {
    const { clock, random, logger, outages } = options;
    this.#options = options;
    const process = (id: string): Promise<void> => this.#round(id);
    this.#queue = new WorkQueue({ process, clock, random, logger, outages, what: WHAT, concurrency: VAULTS_AT_ONCE });
  }

  /** Sets everything that `user` (`namespace/name` of a policy) wants to know from now on, and as which identity it is asked. */
  watch(user: string, identity: VaultIdentity, intervalMs: number, paths: ReadonlySet<string>): void {
    const id = identity.name;
    if (paths.size === 0 || this.#pollingOf.get(user) !== id) this.unwatch(user);
    if (paths.size === 0) return;
    const joined = this.#pollings.get(id) ?? this.#open(identity);
    this.#pollingOf.set(user, id);
    for (const path of paths) this.#join(joined, path, user, intervalMs);
    this.#leave(user, paths);
    this.#schedule(joined);
  }

  /** Forgets `user`. */
  unwatch(user: string): void {
    this.#leave(user, new Set());
  }

  /** Returns the last answer for a path that `user` watches; undefined: none yet. */
  answerFor(user: string, path: string): MetadataAnswer | undefined {
    const poll = this.#pollings.get(this.#pollingOf.get(user) ?? '')?.polls.get(path);
    return poll?.users.has(user) === true ? poll.answer : undefined;
  }

  /** Returns why the Vault of `user` does not answer now. */
  failureFor(user: string): VaultFailure | undefined {
    return this.#pollings.get(this.#pollingOf.get(user) ?? '')?.failure;
  }

  /** Stops asking, and revokes its tokens. */
  async stop(): Promise<void> {
    for (const id of [...this.#pollings.keys()]) this.#close(id);
    await Promise.all([this.#queue.stop(), ...this.#ending]);
  }

  #open(identity: VaultIdentity): Polling {
    const { vaults, jwt, clock, random, observer } = this.#options;
    const { name: id, address, caBundle, serverName, namespace, mount, role } = identity;
    const session = new VaultSession({
      connection: vaults.connect({ address, caBundle, serverName, namespace }),
      mountPath: mount,
      role,
      jwt: () => jwt(identity),
      clock,
      onLogin: (worked) => observer?.onLogin?.(worked),
    });
    const backoff = new Backoff(BACKOFF, random);
    const polling: Polling = { id, address, session, polls: new Map(), backoff, notBefore: 0, failure: undefined };
    this.#pollings.set(id, polling);
    return polling;
  }

  #close(id: string): void {
    const polling = this.#pollings.get(id);
    if (polling === undefined) return;
    this.#pollings.delete(id);
    this.#queue.forget(id);
    const ending = polling.session.end().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #join({ polls }: Polling, path: string, user: string, intervalMs: number): void {
    const now = this.#options.clock.elapsed();
    const poll: Poll = polls.get(path) ?? { path, users: new Map(), due: now };
    polls.set(path, poll);
    poll.users.set(user, intervalMs);
    if (poll.askedAt !== undefined) poll.due = Math.min(poll.due, poll.askedAt + intervalMs);
  }

  /** Reduces `user` to `paths`; forgets paths without users. */
  #leave(user: string, paths: ReadonlySet<string>): void {
    const polling = this.#pollings.get(this.#pollingOf.get(user) ?? '');
    if (paths.size === 0) this.#pollingOf.delete(user);
    if (polling === undefined) return;
    for (const [path, poll] of polling.polls) {
      if (paths.has(path)) continue;
      poll.users.delete(user);
      if (poll.users.size === 0) polling.polls.delete(path);
    }
    if (polling.polls.size === 0) this.#close(polling.id);
  }

  #schedule(polling: Polling): void {
    const now = this.#options.clock.elapsed();
    let due = Infinity;
    for (const poll of polling.polls.values()) due = Math.min(due, poll.due);
    if (due === Infinity || this.#pollings.get(polling.id) !== polling) return;
    const at = Math.max(due, polling.notBefore);
    if (at <= now) this.#queue.add(polling.id);
    else this.#queue.addAfter(polling.id, Math.max(ROUND_MS, at - now));
  }

  async #round(id: string): Promise<void> {
    const polling = this.#pollings.get(id);
    if (polling === undefined) return;
    const now = this.#options.clock.elapsed();
    const changed = new Set<string>();
    if (polling.notBefore <= now) await this.#askDue(polling, now, changed);
    // Ended meanwhile: nobody needs it.
    if (this.#pollings.get(id) !== polling) return;
    this.#schedule(polling);
    if (changed.size > 0) this.#options.onChange([...changed]);
  }

  /** Asks for everything that is due: one path first, to see whether the Vault is available. */
  async #askDue(polling: Polling, now: number, changed: Set<string>): Promise<void> {
    const due = inTurns([...polling.polls.values()].filter((poll) => poll.due <= now)).slice(0, MOST_IN_ROUND);
    const ask = async (poll: Poll): Promise<void> => {
      // It has lost its users since the round began.
      if (polling.polls.get(poll.path) !== poll) return;
      for (const user of await this.#ask(polling, poll)) changed.add(user);
    };
    const first = due.shift();
    if (first === undefined) return;
    try {
      await ask(first);
      await inParallel(due, REQUESTS, ask);
      this.#note(polling, undefined, changed);
    } catch (error) {
      if (!(error instanceof VaultFailure)) throw error;
      this.#note(polling, error, changed);
    }
  }

  async #ask(polling: Polling, poll: Poll): Promise<readonly string[]> {
    const { clock, random, observer, logger } = this.#options;
    try {
      const answer = await polling.session.read(poll.path);
      observer?.onPoll?.(answer.kind);
      const before = poll.answer;
      poll.answer = answer;
      poll.askedAt = clock.elapsed();
      // A little early, so that rounds and jitter together stay within the interval.
      poll.due = poll.askedAt + Math.min(...poll.users.values()) * (0.85 + 0.1 * random());
      if (before !== undefined && isSameAnswer(before, answer)) return [];
      logger.debug({ address: polling.address, path: poll.path, ...answer }, 'a secret has another version');
      return [...poll.users.keys()];
    } catch (error) {
      if (!(error instanceof VaultFailure)) throw error;
      observer?.onPoll?.(error.kind);
      // After all others: a single failing path does not keep them waiting.
      poll.due = clock.elapsed();
      throw error;
    }
  }

  #note(polling: Polling, failure: VaultFailure | undefined, changed: Set<string>): void {
    const { clock, logger } = this.#options;
    if (this.#pollings.get(polling.id) !== polling) return; // its connections were closed
    if (failure === undefined) polling.backoff.reset();
    else polling.notBefore = clock.elapsed() + polling.backoff.next();
    if (polling.failure?.message === failure?.message) return;
    const { address } = polling;
    if (failure === undefined) logger.info({ address }, 'versions of secrets are read again');
    else logger.warn({ address, kind: failure.kind, error: failure.message }, 'versions of secrets cannot be read');
    polling.failure = failure;
    for (const { users } of polling.polls.values()) for (const user of users.keys()) changed.add(user);
  }
}

/**
 * Returns what is due the longest first, but one of each namespace after the other: a namespace with many paths delays
 * nobody else's.
 */
function inTurns(due: readonly Poll[]): Poll[] {
  const counts = new Map<string, number>();
  return due
    .toSorted((a, b) => a.due - b.due)
    .map((poll) => {
      const [user = ''] = poll.users.keys();
      const { namespace } = partsOfKey(user);
      const turn = counts.get(namespace) ?? 0;
      counts.set(namespace, turn + 1);
      return { poll, turn };
    })
    .sort((a, b) => a.turn - b.turn)
    .map(({ poll }) => poll);
}

function isSameAnswer(a: MetadataAnswer, b: MetadataAnswer): boolean {
  return a.kind === b.kind && (a.kind !== 'Version' || b.kind !== 'Version' || a.version === b.version);
}

/** Rejects with the first failure once everything that was started has ended; the rest is not started. */
async function inParallel<T>(items: readonly T[], width: number, act: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items].reverse();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let item = waiting.pop(); item !== undefined && failures.length === 0; item = waiting.pop()) {
      await act(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  if (failures.length > 0) throw failures[0];
}
