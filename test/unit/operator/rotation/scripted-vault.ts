import type {
  MetadataAnswer,
  MetadataConnection,
  MetadataPort,
  MetadataTarget,
  VaultLogin,
} from '../../../../operator/vault/metadata-port.ts';
import { VaultFailure } from '../../../../operator/vault/metadata-port.ts';

/** What no log line, error or message may hold. */
export const CANARIES = { jwt: 'eyJ.canary-jwt', token: 'hvs.canary-token' };

export interface Asked {
  readonly what: 'login' | 'read' | 'revoke';
  /** Of a login: mount and role; of a revocation: the token. */
  readonly path: string;
  readonly address: string;
}

/** One Vault, or all of them, that follows a script and remembers what it was asked. */
export class ScriptedVault implements MetadataPort {
  /** Metadata path → newest version, or what else is said of it; any other is missing. */
  readonly secrets = new Map<string, number | MetadataAnswer>();
  readonly asked: Asked[] = [];
  readonly connected: MetadataTarget[] = [];
  failure: VaultFailure | undefined;
  loginFailure: VaultFailure | undefined;
  tokenLifeMs = Infinity;
  closed = 0;
  /** Requests under way, now and at most. */
  busy = 0;
  busiest = 0;
  readonly #tokens = new Set<string>();
  #logins = 0;

  connect(target: MetadataTarget): MetadataConnection {
    this.connected.push(target);
    const note = (what: Asked['what'], path: string): void =>
      void this.asked.push({ what, path, address: target.address });
    return {
      login: async (mountPath, role, jwt) => {
        note('login', `${mountPath} ${role}`);
        await this.#work();
        if (jwt !== CANARIES.jwt) throw new Error('not the token of the operator');
        if (this.loginFailure !== undefined) throw this.loginFailure;
        return this.#newToken();
      },
      read: async (token, path) => {
        note('read', path);
        await this.#work();
        if (!this.#tokens.has(token)) return { kind: 'Forbidden' };
        const secret = this.secrets.get(path);
        return typeof secret === 'number' ? { kind: 'Version', version: secret } : (secret ?? { kind: 'Missing' });
      },
      revoke: (token) => {
        note('revoke', token);
        this.#tokens.delete(token);
        return Promise.resolve();
      },
      close: () => {
        this.closed += 1;
        return Promise.resolve();
      },
    };
  }

  /** The paths that were read since the last call, in order. */
  reads(): string[] {
    return this.take('read');
  }

  take(what: Asked['what']): string[] {
    const taken = this.asked.filter((one) => one.what === what).map(({ path }) => path);
    this.asked.splice(0, this.asked.length, ...this.asked.filter((one) => one.what !== what));
    return taken;
  }

  get tokens(): number {
    return this.#tokens.size;
  }

  /** As after a restart without storage, or by an administrator. */
  forgetTokens(): void {
    this.#tokens.clear();
  }

  goAway(): void {
    this.failure = new VaultFailure('Away', 'no connection to vault.example (ECONNREFUSED)');
  }

  #newToken(): VaultLogin {
    this.#logins += 1;
    const token = `${CANARIES.token}-${this.#logins}`;
    this.#tokens.add(token);
    return { token, lifeMs: this.tokenLifeMs };
  }

  async #work(): Promise<void> {
    this.busy += 1;
    this.busiest = Math.max(this.busiest, this.busy);
    await new Promise((resolve) => setImmediate(resolve));
    this.busy -= 1;
    if (this.failure !== undefined) throw this.failure;
  }
}
