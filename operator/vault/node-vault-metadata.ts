import type { Agent } from 'undici';

import { healthOfError, redirectHealth } from './health-answer.ts';
import { metadataOfAnswer } from './metadata-answer.ts';
import type { MetadataAnswer, MetadataConnection, MetadataPort, MetadataTarget, VaultLogin } from './metadata-port.ts';
import { VaultFailure } from './metadata-port.ts';
import { agentFor, clientWith, RedirectAnswer, send, type VaultResponse } from './transport.ts';

const TIMEOUT_MS = 5_000;
// Metadata list every version that is kept, 130 bytes each, and 64 custom fields: a secret with thousands of versions
// fits, and four responses at once take little memory.
const LONGEST_ANSWER = 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** MetadataPort on node-vault. */
export class NodeVaultMetadata implements MetadataPort {
  readonly #timeoutMs: number;
  readonly #connections: number;

  /** `connections`: requests to one Vault at the same time. */
  constructor(options: { readonly timeoutMs?: number; readonly connections: number }) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#connections = options.connections;
  }

  connect(target: MetadataTarget): MetadataConnection {
    return new Connection(target, agentFor(target, this.#timeoutMs, this.#connections), this.#timeoutMs);
  }
}

class Connection implements MetadataConnection {
  readonly #target: MetadataTarget;
  readonly #agent: Agent;
  readonly #timeoutMs: number;
  readonly #host: string;

  constructor(target: MetadataTarget, agent: Agent, timeoutMs: number) {
    this.#target = target;
    this.#agent = agent;
    this.#timeoutMs = timeoutMs;
    this.#host = new URL(target.address).host;
  }

  async login(mountPath: string, role: string, jwt: string): Promise<VaultLogin> {
    const { status, body } = await this.#ask('', (client) =>
      client.write(`auth/${encoded(mountPath)}/login`, { role, jwt }),
    );
    const auth = status === 200 ? authOf(body) : undefined;
    if (auth !== undefined) return auth;
    if (status === 429 || status >= 500) throw this.#unusable(status);
    const message = `Vault at ${this.#host} refused the login of the operator (HTTP ${status}) as ${role} at auth/${mountPath}`;
    throw new VaultFailure('LoginRefused', message);
  }

  async read(token: string, path: string, now: number): Promise<MetadataAnswer> {
    const { status, body } = await this.#ask(token, (client) => client.read(encoded(path)));
    const answer = metadataOfAnswer(status, body, now);
    if (answer === undefined) throw this.#unusable(status);
    return answer;
  }

  async revoke(token: string): Promise<void> {
    await this.#ask(token, (client) => client.write('auth/token/revoke-self', {})).catch(() => undefined);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** The result of node-vault is ignored: its errors contain whole responses. */
  async #ask(token: string, ask: (client: ReturnType<typeof clientWith>) => Promise<unknown>): Promise<Answer> {
    let response: VaultResponse | undefined;
    const bounds = { timeoutMs: this.#timeoutMs, longestAnswer: LONGEST_ANSWER };
    const client = clientWith(this.#target.address, this.#target.namespace, async (asked) => {
      response = await send(asked, this.#agent, bounds);
      return response;
    });
    client.token = token;
    try {
      await ask(client);
    } catch (error) {
      if (response === undefined) throw this.#failureOf(error);
    }
    const { statusCode: status, body } = response ?? { statusCode: 0, body: undefined };
    return { status, body };
  }

  #failureOf(error: unknown): VaultFailure {
    const { message } =
      error instanceof RedirectAnswer
        ? redirectHealth(this.#host)
        : healthOfError(error, this.#host, this.#target.caBundle !== '');
    return new VaultFailure('Away', message);
  }

  #unusable(status: number): VaultFailure {
    return new VaultFailure(
      'Away',
      `Vault at ${this.#host} answers with HTTP ${status}: it is sealed, busy or a standby`,
    );
  }
}

function authOf(body: unknown): VaultLogin | undefined {
  const { auth } = (body ?? {}) as { auth?: { client_token?: unknown; lease_duration?: unknown } | null };
  const { client_token: token, lease_duration: seconds } = auth ?? {};
  // It is sent in a header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return undefined;
  return { token, lifeMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : Infinity };
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
