/**
 * How the operator speaks HTTP to Vaults: replaces node-vault's transport through its option for that. axios follows
 * redirects, honours proxy variables, has no limit on time or size, and attaches headers, with tokens, to its errors.
 */
import type { LookupFunction } from 'node:net';
import NodeVault from 'node-vault';
import { Agent } from 'undici';

import { parseJson } from '../../core/json.ts';
import { normalizedBundle } from '../../core/pem.ts';
import type { VaultTarget } from './vault-port.ts';

/** What node-vault passes to its transport. */
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
  /** Milliseconds for the whole exchange. */
  readonly timeoutMs: number;
  /** Bytes of the response; the body of a longer one is undefined. */
  readonly longestAnswer: number;
}

/** Vault answered with a redirect, which is never followed: it would carry the token elsewhere. */
export class RedirectAnswer extends Error {}

/** Returns a client. `namespace` is Vault's; '' for its root. */
export function clientWith(
  address: string,
  namespace: string,
  transport: (asked: VaultRequest) => Promise<VaultResponse>,
): NodeVault.client {
  const client = NodeVault({
    endpoint: address,
    'request-promise': { defaults: () => transport },
    // node-vault's own prints whole requests if DEBUG asks for it.
    debug: () => undefined,
  });
  // node-vault takes what is missing or empty from VAULT_TOKEN, VAULT_NAMESPACE and VAULT_PREFIX in the operator's
  // environment, which must not count here.
  return Object.assign(client, { token: '', namespace, pathPrefix: '' });
}

/**
 * Returns a pool of at most `connections` to one Vault. It always verifies TLS: node-vault turns that off for any value
 * of VAULT_SKIP_VERIFY, Node for another variable.
 *
 * @param lookup resolves names; default: the system's
 */
export function agentFor(
  { caBundle, serverName }: VaultTarget,
  timeout: number,
  connections: number,
  lookup?: LookupFunction,
): Agent {
  return new Agent({
    allowH2: false,
    connections,
    connect: {
      timeout,
      rejectUnauthorized: true,
      ...(lookup && { lookup }),
      ...(caBundle === '' ? {} : { ca: normalizedBundle(caBundle) }),
      ...(serverName === '' ? {} : { servername: serverName }),
    },
  });
}

/** Rejects with RedirectAnswer, or with the error of the network. */
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
