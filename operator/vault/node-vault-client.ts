import NodeVault from 'node-vault';
import { Agent } from 'undici';

import { healthOfAnswer, healthOfError, redirectHealth } from './health-answer.ts';
import type { VaultHealth, VaultPort, VaultTarget } from './vault-port.ts';

// Half of the time that one turn of the reconciler may take; a Vault that needs longer is as good as away.
const TIMEOUT_MS = 4_000;
// sys/health is some 300 bytes. The address is a policy author's, and may lead anywhere.
const LONGEST_ANSWER = 64 * 1024;

/** What node-vault asks its transport for. */
interface VaultRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What node-vault expects back. */
interface VaultResponse {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

class RedirectAnswer extends Error {}

/**
 * VaultPort on node-vault, with its transport replaced through its own option for that: axios follows redirects, heeds
 * proxy variables, has no limit of time or size, and hangs headers on its errors.
 */
export class NodeVaultClient implements VaultPort {
  readonly #timeoutMs: number;

  constructor(options: { readonly timeoutMs?: number } = {}) {
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  }

  async health(target: VaultTarget): Promise<VaultHealth> {
    const { host } = new URL(target.address);
    const agent = agentFor(target, this.#timeoutMs);
    let status = 0;
    try {
      const client = clientWith(target.address, async (asked) => {
        const response = await send(asked, agent, AbortSignal.timeout(this.#timeoutMs));
        status = response.statusCode;
        return response;
      });
      const body: unknown = await client.health();
      return healthOfAnswer(status, body, host);
    } catch (error) {
      return error instanceof RedirectAnswer
        ? redirectHealth(host)
        : healthOfError(error, host, target.caBundle !== '');
    } finally {
      // One check a minute: a connection kept for the next would be closed by then.
      await agent.destroy();
    }
  }
}

function clientWith(address: string, transport: (asked: VaultRequest) => Promise<VaultResponse>): NodeVault.client {
  const client = NodeVault({
    endpoint: address,
    'request-promise': { defaults: () => transport },
    // Its own one prints whole requests when DEBUG asks for it.
    debug: () => undefined,
  });
  // What was left out or is empty comes from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX of the operator's environment,
  // which are nobody's business here. Vault answers sys/health in the root namespace only, and it is about all of them.
  return Object.assign(client, { token: '', namespace: '', pathPrefix: '' });
}

/** TLS is verified always: node-vault turns that off for any value of VAULT_SKIP_VERIFY, Node for another variable. */
function agentFor({ caBundle, serverName }: VaultTarget, timeout: number): Agent {
  return new Agent({
    allowH2: false,
    connect: {
      timeout,
      rejectUnauthorized: true,
      ...(caBundle === '' ? {} : { ca: caBundle }),
      ...(serverName === '' ? {} : { servername: serverName }),
    },
  });
}

async function send(asked: VaultRequest, dispatcher: Agent, signal: AbortSignal): Promise<VaultResponse> {
  const { origin, pathname: path, search } = new URL(asked.uri);
  const { statusCode, body } = await dispatcher.request({
    origin,
    path: path + search,
    method: 'GET',
    headers: asked.headers,
    signal,
  });
  if (statusCode >= 300 && statusCode < 400) throw new RedirectAnswer();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) break;
    chunks.push(chunk);
  }
  return { statusCode, body: parsed(Buffer.concat(chunks).toString()), request: { path } };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
