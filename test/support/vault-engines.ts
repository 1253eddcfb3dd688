/** Engines of the test Vault beside KV: the database engine before a real PostgreSQL, transit, and a login for anybody. */
import { generateKeyPairSync, sign } from 'node:crypto';
import type { Postgres } from './postgres.ts';
import type { Vault } from './vault.ts';

export const POSTGRES_PLUGIN = 'vault-plugin-database-postgresql';

/** Mounts the database engine at database/, in charge of the users of `postgres`. Vault must know POSTGRES_PLUGIN. */
export async function enableDatabase(vault: Vault, postgres: Postgres): Promise<void> {
  const { host, port, superuser } = postgres;
  await vault.api('POST', 'sys/mounts/database', { type: 'database' });
  await vault.api('POST', 'database/config/shop', {
    plugin_name: POSTGRES_PLUGIN,
    allowed_roles: ['*'],
    connection_url: `postgresql://{{username}}:{{password}}@${host}:${port}/postgres?sslmode=disable`,
    ...superuser,
  });
}

/** A role whose users live for `ttl` and, renewed, for `maxTtl` at most (such as 3s); PostgreSQL itself knows no end. */
export async function createDatabaseRole(vault: Vault, name: string, ttl: string, maxTtl: string): Promise<void> {
  await vault.api('POST', `database/roles/${name}`, {
    db_name: 'shop',
    creation_statements: [`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}'`],
    default_ttl: ttl,
    max_ttl: maxTtl,
  });
}

/**
 * Mounts transit at transit/ with this key; resolves with a function that encrypts a text to Vault's ciphertext
 * (vault:v1:…).
 */
export async function enableTransit(vault: Vault, key: string): Promise<(text: string) => Promise<string>> {
  await vault.api('POST', 'sys/mounts/transit', { type: 'transit' });
  await vault.api('POST', `transit/keys/${key}`, {});
  return async (text) => {
    const plaintext = Buffer.from(text).toString('base64');
    const { data } = await vault.api('POST', `transit/encrypt/${key}`, { plaintext });
    return (data as { ciphertext: string }).ciphertext;
  };
}

/** The token that opens the answer to a POST, response-wrapped for a minute. */
export async function wrappedAnswer(vault: Vault, path: string): Promise<string> {
  const headers = { 'x-vault-token': vault.token, 'x-vault-wrap-ttl': '1m' };
  const response = await fetch(`${vault.address}/v1/${path}`, { method: 'POST', headers });
  return ((await response.json()) as { wrap_info: { token: string } }).wrap_info.token;
}

/** A policy with these lines, such as `path "transit/decrypt/shop" { capabilities = ["update"] }`. */
export async function writePolicy(vault: Pick<Vault, 'api'>, name: string, lines: readonly string[]): Promise<void> {
  await vault.api('PUT', `sys/policies/acl/${name}`, { policy: lines.join('\n') });
}

/**
 * Mounts JWT auth at jwt/ with a role for a key made here, so that no cluster is needed to log in. The role's tokens
 * live for `ttl` and are good for `policies`. Resolves with a function that creates a JWT for the audience vault.
 */
export async function enableOwnJwtAuth(
  vault: Pick<Vault, 'api'>,
  role: string,
  { policies, ttl }: { readonly policies: readonly string[]; readonly ttl: string },
): Promise<() => string> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  await vault.api('POST', 'sys/auth/jwt', { type: 'jwt' });
  await vault.api('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [pem] });
  await vault.api('POST', `auth/jwt/role/${role}`, {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['vault'],
    token_policies: policies,
    token_ttl: ttl,
  });
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: 'system:serviceaccount:shop:web', aud: 'vault', iat: now - 60, exp: now + 3600 };
    const signed = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode(claims)}`;
    // RFC 7518, section 3.4: the two numbers beside each other, not DER
    const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  };
}
