/** One HTTP exchange with a registry: bounded, verified, and only with allowed hosts. */
import { getCACertificates } from 'node:tls';
import { EnvHttpProxyAgent } from 'undici';
import type { Dispatcher } from 'undici';
import { codeOf, explained, tlsFaultOf } from '../../core/network-error.ts';
import { BLOCKED_ADDRESS, guardedLookup, isBlockedAddress } from '../../kube/egress-guard.ts';
import { ImageFailure } from './failure.ts';
import type { RegistryHosts } from './registry-hosts.ts';

export interface Exchange {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** The longest body to accept; a longer one is a failure. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Rejects with ImageFailure; any HTTP status counts as a reply. */
export type Send = (exchange: Exchange) => Promise<Reply>;

export interface HttpOptions {
  readonly hosts: RegistryHosts;
  /** PEM of authorities to trust in addition to Node's. */
  readonly authorities?: string;
  readonly proxies: Proxies;
  readonly userAgent: string;
}

/** URLs of proxies, by the scheme of the request, and hosts to reach without a proxy; '' for none. */
export interface Proxies {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY in either case, the lower case first, like curl and Go. */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): Proxies {
  const read = (name: string): string => env[name.toLowerCase()] ?? env[name] ?? '';
  return { httpProxy: read('HTTP_PROXY'), httpsProxy: read('HTTPS_PROXY'), noProxy: read('NO_PROXY') };
}

// A host that does not even accept the connection is not worth waiting for.
const CONNECT_MS = 5_000;
// A registry gets three requests for one image, and then none for minutes.
const KEEP_ALIVE_MS = 10_000;
// Docker Hub's blobs are two redirects away; a longer chain leads nowhere.
const MOST_REDIRECTS = 4;

/** Creates the connection pools. */
export function createHttp({ hosts, authorities, proxies, userAgent }: HttpOptions): {
  send: Send;
  close: () => Promise<void>;
} {
  const ca = authorities === undefined ? {} : { ca: [...getCACertificates('default'), authorities] };
  const pool = {
    ...proxies,
    keepAliveTimeout: KEEP_ALIVE_MS,
    allowH2: false,
    requestTls: { ...ca, timeout: CONNECT_MS },
  };
  const connect = { ...ca, timeout: CONNECT_MS };
  const anywhere = new EnvHttpProxyAgent({ ...pool, connect });
  const guarded = new EnvHttpProxyAgent({ ...pool, connect: { ...connect, lookup: guardedLookup() } });
  const send = async (exchange: Exchange): Promise<Reply> => {
    const { url } = exchange;
    const isListed = hosts.isListed(url);
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && hosts.mayBePlain(url))) {
      throw new ImageFailure(
        'NotAllowed',
        `${url.host} would be asked without TLS: allow it with the setting registry-plain-http`,
      );
    }
    if (!isListed && isBlockedAddress(url.hostname)) throw blocked(url);
    return exchangeOnce(exchange, isListed ? anywhere : guarded, userAgent);
  };
  return {
    send: (exchange) => following(exchange, send),
    close: async () => {
      await Promise.all([anywhere.destroy(), guarded.destroy()]);
    },
  };
}

/**
 * Registries redirect clients for blobs, to a link that needs no credentials: these stay with the host that asked for
 * them.
 */
async function following(exchange: Exchange, send: Send): Promise<Reply> {
  let current = exchange;
  for (let redirects = 0; ; redirects++) {
    const reply = await send(current);
    const target = redirectOf(reply, current.url);
    if (target === undefined) return reply;
    if (redirects === MOST_REDIRECTS)
      throw new ImageFailure('Unreachable', `${current.url.host} redirects too many times`);
    const { authorization, ...rest } = current.headers;
    const isSame = target.origin === current.url.origin && authorization !== undefined;
    current = { ...current, url: target, headers: isSame ? { ...rest, authorization } : rest };
  }
}

function redirectOf({ status, headers }: Reply, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || typeof headers.location !== 'string') return undefined;
  const target = URL.parse(headers.location, from.href);
  // a user and password in a link would be sent on as credentials
  if (target?.username !== '' || target.password !== '') return undefined;
  return target;
}

async function exchangeOnce(
  { method, url, headers, maxBytes, signal }: Exchange,
  dispatcher: Dispatcher,
  userAgent: string,
): Promise<Reply> {
  try {
    const all = { ...headers, 'user-agent': userAgent };
    const { origin, pathname, search } = url;
    const response = await dispatcher.request({ origin, path: pathname + search, method, headers: all, signal });
    return {
      status: response.statusCode,
      headers: response.headers,
      body: await bodyOf(response.body, maxBytes, url),
    };
  } catch (error) {
    throw error instanceof ImageFailure ? error : failureOf(error, url, signal);
  }
}

async function bodyOf(body: AsyncIterable<Buffer>, maxBytes: number, url: URL): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    // leaving the loop closes the connection, so nothing more arrives
    if (length > maxBytes) throw new ImageFailure('Unusable', `${url.host} sent more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const NO_WAY: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved at the moment',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'no route to host',
};

/** Uses only the code of the cause: messages of libraries contain addresses and what was sent. */
function failureOf(error: unknown, url: URL, signal: AbortSignal): ImageFailure {
  if (signal.aborted) return new ImageFailure('Unreachable', `${url.host}: no answer in time`);
  const code = codeOf(error);
  if (code === BLOCKED_ADDRESS) return blocked(url);
  return new ImageFailure('Unreachable', `${url.host}: ${tlsAdvice(code) ?? NO_WAY[code] ?? explained(code) ?? code}`);
}

function tlsAdvice(code: string): string | undefined {
  switch (tlsFaultOf(code)) {
    case 'Untrusted':
      return 'the certificate is signed by an unknown authority (setting registry-ca)';
    case 'Expired':
      return 'the certificate has expired';
    case 'NotYetValid':
      return 'the certificate is not valid yet';
    case 'OtherName':
      return 'the certificate is valid for other names';
    case 'NoTls':
      return 'the server does not speak TLS';
    case 'Unverifiable':
    case undefined:
      return undefined;
  }
}

function blocked({ host }: URL): ImageFailure {
  return new ImageFailure(
    'NotAllowed',
    `${host} is at an address that may only be asked if the setting registries names the host`,
  );
}
