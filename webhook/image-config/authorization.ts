/**
 * Answers a registry's challenge: with a password (RFC 7617), or with a token from the server that it names, for a
 * password or anonymously (distribution.github.io/distribution/spec/auth/token; RFC 6750).
 */
import { toBase64 } from '../../core/base64.ts';
import { asObject, asString, parseJson } from '../../core/json.ts';
import type { Challenge } from './challenge.ts';
import type { Credential } from './docker-config.ts';
import { ImageFailure } from './failure.ts';
import type { Send } from './http.ts';
import { failureOfStatus } from './status.ts';
import type { Endpoint } from './registry-hosts.ts';

// Tokens are 1 to 5 kB.
const LARGEST_TOKEN_REPLY = 64 * 1024;

/** Resolves with the value of the Authorization header. Rejects with ImageFailure. */
export async function authorize(
  challenges: readonly Challenge[],
  credential: Credential | undefined,
  endpoint: Endpoint,
  send: Send,
  signal: AbortSignal,
): Promise<string> {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return `Bearer ${await tokenFor(bearer, credential, endpoint, send, signal)}`;
  if (!challenges.some(({ scheme }) => scheme === 'basic')) {
    throw new ImageFailure('Unauthorized', `${endpoint.host} asks for credentials of an unsupported kind`);
  }
  if (credential === undefined) throw new ImageFailure('Unauthorized', '');
  return basic(credential);
}

async function tokenFor(
  { parameters }: Challenge,
  credential: Credential | undefined,
  { host, repository }: Endpoint,
  send: Send,
  signal: AbortSignal,
): Promise<string> {
  const url = URL.parse(parameters.realm ?? '');
  if (url === null) throw new ImageFailure('Unusable', `${host} does not say where to get tokens`);
  if (parameters.service !== undefined) url.searchParams.set('service', parameters.service);
  // Not the scope that the registry names: no more than this is needed.
  url.searchParams.set('scope', `repository:${repository}:pull`);
  const headers = { accept: 'application/json', ...(credential && { authorization: basic(credential) }) };
  const reply = await send({ method: 'GET', url, headers, maxBytes: LARGEST_TOKEN_REPLY, signal });
  if (reply.status !== 200) throw failureOfStatus(reply, url.host);
  const token = tokenIn(reply.body);
  if (token === undefined) throw new ImageFailure('Unusable', `${url.host} returned no token`);
  return token;
}

function tokenIn(body: Buffer): string | undefined {
  const answer = asObject(parseJson(body.toString('utf8')));
  const token = asString(answer?.token) ?? asString(answer?.access_token);
  // b64token of RFC 6750: what a header may contain
  return token !== undefined && /^[A-Za-z0-9._~+/-]+=*$/.test(token) ? token : undefined;
}

function basic({ username, password }: Credential): string {
  return `Basic ${toBase64(`${username}:${password}`)}`;
}
