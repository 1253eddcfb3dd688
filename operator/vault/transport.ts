/**
 * How the operator speaks HTTP to Vaults: node-vault's transport replaced through its own option for that. axios follows
 * redirects, heeds proxy variables, has no limit of time or size, and hangs headers, with their tokens, on its errors.
 */
import NodeVault from 'node-vault';
import { Agent } from 'undici';

import { parseJson } from '../../core/json.ts';
import type { VaultTarget } from './vault-port.ts';

/** What node-vault asks its transport for. */
export interface VaultRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  /** true, or the body to send. */
  readonly json?: unknown;
}

/** What node-vault expects back. */
export interface VaultResponse {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

export interface RequestBounds {
  /** Milliseconds for the whole of it. */
  readonly timeoutMs: number;
  /** Bytes of the answer; of a longer one the body is undefined. */
  readonly longestAnswer: number;
}

/** Vault answered with a redirect, which is never followed: it would carry the token elsewhere. */
export class RedirectAnswer extends Error {}

/** `namespace` of Vault; '' for its root. */
export function clientWith(
  address: string,
  namespace: string,
  transport: (asked: VaultRequest) => Promise<VaultResponse>,
): NodeVault.client {
  const client = NodeVault({
    endpoint: address,
    'request-promise': { defaults: () => transport },
    // Its own one prints whole requests when DEBUG asks for it.
    debug: () => undefined,
  });
  // What was left out or is empty comes from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX of the operator's environment,
  // which are nobody's business here.
  return Object.assign(client, { token: '', namespace, pathPrefix: '' });
}

/**
 * A pool of at most `connections` to one Vault. TLS is verified always: node-vault turns that off for any value of
 * VAULT_SKIP_VERIFY, Node for another variable.
 */
export function agentFor({ caBundle, serverName }: VaultTarget, timeout: number, connections: number): Agent {
  return new Agent({
    allowH2: false,
    connections,
    connect: {
      timeout,
      rejectUnauthorized: true,
      ...(caBundle === '' ? {} : { ca: caBundle }),
      ...(serverName === '' ? {} : { servername: serverName }),
    },
  });
}

/** Rejects with RedirectAnswer, or with what the network says. */
export async function send(asked: VaultRequest, dispatcher: Agent, bounds: RequestBounds): Promise<VaultResponse> {
  const { origin, pathname: path, search } = new URL(asked.uri);
  const hasBody = typeof asked.json === 'object' && asked.json !== null;
  const { statusCode, body } = await dispatcher.request({
    origin,
    path: path + search,
    method: asked.method,
    headers: { ...asked.headers, ...(hasBody ? { 'content-type': 'application/json' } : {}) },
    body: hasBody ? JSON.stringify(asked.json) : null,
    signal: AbortSignal.timeout(bounds.timeoutMs),
  });
  if (statusCode >= 300 && statusCode < 400) {
    void body.dump().catch(() => undefined);
    throw new RedirectAnswer();
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bounds.longestAnswer) break;
    chunks.push(chunk);
  }
  const text = length > bounds.longestAnswer ? '' : Buffer.concat(chunks).toString();
  return { statusCode, body: parseJson(text), request: { path } };
}
