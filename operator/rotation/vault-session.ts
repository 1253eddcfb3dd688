import type { Clock } from '../../kube/clock.ts';
import type { MetadataAnswer, MetadataConnection } from '../vault/metadata-port.ts';
import { VaultFailure } from '../vault/metadata-port.ts';

export interface VaultSessionOptions {
  readonly connection: MetadataConnection;
  /** Of the auth method, without auth/ before it. */
  readonly mountPath: string;
  readonly role: string;
  /** Resolves with a fresh ServiceAccount token of the operator. Rejects with VaultFailure. */
  readonly jwt: () => Promise<string>;
  readonly clock: Clock;
  /** Called after every log-in attempt, for metrics. */
  readonly onLogin?: (worked: boolean) => void;
}

interface Held {
  readonly token: string;
  /** By Clock.elapsed(), as is `until`. */
  readonly since: number;
  readonly until: number;
}

// The last third is for a Vault that is unavailable when the token should be replaced.
const USED_PART = 2 / 3;
// 403 means either that the role may not read a path or that the token is no longer valid. A new token tells which, but
// each log-in that did not help doubles the wait before the next one.
const FIRST_DOUBT_MS = 60_000;
const LAST_DOUBT_MS = 3_600_000;

/** One log-in to a Vault, shared by all reads from it. The token is kept only in memory. */
export class VaultSession {
  readonly #options: VaultSessionOptions;
  #held: Held | undefined;
  #login: Promise<Held> | undefined;
  #vainDoubts = 0;
  /** Paths that were not forbidden when they were last read: if one is now, the token is rather lost than the right. */
  readonly #readable = new Set<string>();
  #ended = false;

  constructor(options: VaultSessionOptions) {
    this.#options = options;
  }

  /** Resolves with the newest version at this metadata path. Logs in if necessary. Rejects with VaultFailure. */
  async read(path: string): Promise<MetadataAnswer> {
    const held = await this.#token();
    const answer = await this.#readAs(held, path);
    if (answer.kind !== 'Forbidden') {
      this.#readable.add(path);
      return answer;
    }
    // Another read has replaced it meanwhile.
    if (this.#held !== held) return this.#readAs(await this.#token(), path);
    const wasReadable = this.#readable.has(path);
    if (!this.#isDoubtful(held, wasReadable ? 0 : this.#vainDoubts)) return answer;
    const again = await this.#readAs(await this.#logIn(), path);
    if (again.kind !== 'Forbidden') this.#vainDoubts = 0;
    else if (!this.#readable.delete(path)) this.#vainDoubts += 1;
    return again;
  }

  /** Revokes the token and closes all connections. Never rejects. */
  async end(): Promise<void> {
    this.#ended = true;
    const held = await this.#login?.catch(() => undefined);
    const { token } = held ?? this.#held ?? {};
    this.#held = undefined;
    if (token !== undefined) await this.#options.connection.revoke(token);
    await this.#options.connection.close().catch(() => undefined);
  }

  #readAs({ token }: Held, path: string): Promise<MetadataAnswer> {
    return this.#options.connection.read(token, path, this.#options.clock.now());
  }

  #isDoubtful({ since }: Held, vainDoubts: number): boolean {
    const patience = Math.min(LAST_DOUBT_MS, FIRST_DOUBT_MS * 2 ** vainDoubts);
    return this.#options.clock.elapsed() - since >= patience;
  }

  async #token(): Promise<Held> {
    const held = this.#held;
    return held !== undefined && this.#options.clock.elapsed() < held.until ? held : this.#logIn();
  }

  #logIn(): Promise<Held> {
    // Reads still in progress at the end find their token revoked.
    if (this.#ended) return Promise.reject(new VaultFailure('Away', 'stopped'));
    this.#login ??= this.#replace().finally(() => (this.#login = undefined));
    return this.#login;
  }

  async #replace(): Promise<Held> {
    const { connection, mountPath, role, jwt, clock, onLogin } = this.#options;
    const before = this.#held;
    try {
      const { token, lifeMs } = await connection.login(mountPath, role, await jwt());
      const since = clock.elapsed();
      this.#held = { token, since, until: since + lifeMs * USED_PART };
    } catch (error) {
      onLogin?.(false);
      throw error;
    }
    onLogin?.(true);
    if (before !== undefined) await connection.revoke(before.token);
    return this.#held;
  }
}
