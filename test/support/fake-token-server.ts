/**
 * A fake of the token servers that stand beside registries such as Docker Hub, faithful in what it says
 * (distribution.github.io/distribution/spec/auth/token and /jwt): its tokens are signed, and a real registry verifies them.
 */
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAuthority, type Authority, type KeyPair } from './pki.ts';

export interface TokenRights {
  readonly password: string;
  /** Repositories to pull from. */
  readonly pull: readonly string[];
  /** Repositories to push to. */
  readonly push?: readonly string[];
}

export interface FakeTokenServer {
  /** Such as 127.0.0.1:23456 */
  readonly host: string;
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM of who vouches for its signatures. */
  readonly rootCertificate: string;
  /** `user scope` of each request so far; - for nobody. */
  readonly requests: readonly string[];
  /** The Authorization header with a token as a user would get it for a scope. */
  tokenFor(user: string, scope: string): string;
  stop(): Promise<void>;
}

const SERVICE = 'registry.test';
const ISSUER = 'fake-token-server';
const LIFETIME_S = 300;

/** Users by name; '' is who shows no password. Serves HTTPS with a certificate of the authority for 127.0.0.1. */
export async function startFakeTokenServer(
  authority: Authority,
  users: Readonly<Record<string, TokenRights>>,
): Promise<FakeTokenServer> {
  const signers = await createAuthority('token-ca');
  const signer = await signers.server('signer', ['signer']);
  const { certificate: cert, key } = await authority.server('tokens', ['127.0.0.1']);
  const requests: string[] = [];
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    const { searchParams } = new URL(incoming.url ?? '/', 'https://127.0.0.1');
    const scopes = searchParams.getAll('scope');
    const user = userOf(incoming, users);
    requests.push(`${user ?? 'refused'} ${scopes.join(' ')}`);
    if (user === undefined || searchParams.get('service') !== SERVICE) {
      outgoing.writeHead(401).end('{"details":"incorrect username or password"}');
      return;
    }
    const access = scopes.flatMap((scope) => granted(scope, users[user === '-' ? '' : user]));
    outgoing.writeHead(200, { 'Content-Type': 'application/json' });
    outgoing.end(JSON.stringify({ token: jwt(signer, user, access), expires_in: LIFETIME_S }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    realm: `https://${host}/token`,
    service: SERVICE,
    issuer: ISSUER,
    rootCertificate: signers.certificate,
    requests,
    tokenFor: (user, scope) => `Bearer ${jwt(signer, user, granted(scope, users[user]))}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Returns the name of the user, - if anonymous; undefined if the password is wrong. */
function userOf({ headers }: IncomingMessage, users: Readonly<Record<string, TokenRights>>): string | undefined {
  if (headers.authorization === undefined) return '-';
  const text = Buffer.from(headers.authorization.replace(/^Basic /, ''), 'base64').toString();
  const [name = '', password] = text.split(':');
  return name !== '' && users[name]?.password === password ? name : undefined;
}

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** Of what is asked for, what the user may do: possibly nothing, which is a token all the same. */
function granted(scope: string, rights: TokenRights | undefined): Access[] {
  const [type = '', name = '', wanted = ''] = scope.split(':');
  const may = (action: string): boolean =>
    action === 'pull' ? rights?.pull.includes(name) === true : rights?.push?.includes(name) === true;
  return [{ type, name, actions: wanted.split(',').filter(may) }];
}

function jwt({ certificate, key }: KeyPair, subject: string, access: readonly Access[]): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const header = { typ: 'JWT', alg: 'ES256', x5c: [new X509Certificate(certificate).raw.toString('base64')] };
  const claims = {
    iss: ISSUER,
    sub: subject,
    aud: SERVICE,
    exp: now + LIFETIME_S,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access,
  };
  const signed = `${part(header)}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}
