/**
 * The entries of the setting vaultIdentities: each is one Vault that the operator logs in to as itself, all that it logs
 * in with, and what it may look at there. Policies only refer to an entry: anybody who could choose the address, the CA or the
 * auth mount would be sent a token of the operator, and anybody who could choose the paths would learn what exists there
 * (docs/adr/0024).
 */
import { Ajv } from 'ajv';

import { faultOfCertificates } from '../core/pem.ts';
import { shortened } from '../core/shown.ts';

export interface VaultIdentity {
  /** What policies refer to it by. */
  readonly name: string;
  /** Where the operator connects to; without slashes at its end. */
  readonly address: string;
  /** Other addresses by which policies know the same Vault. */
  readonly aliases: readonly string[];
  /** Of Vault; '' for its root. */
  readonly namespace: string;
  /** Of the auth method, without auth/ before it. */
  readonly mount: string;
  readonly role: string;
  readonly audience: string;
  /** In the operator's namespace. */
  readonly serviceAccount: string;
  /** PEM of the only authorities to trust; '' for the well-known ones. */
  readonly caBundle: string;
  /** The name to verify in the certificate; '' for the host of the address. */
  readonly serverName: string;
  /** Paths of secrets, as references name them; * matches any text, {namespace} is the namespace of the workload. */
  readonly paths: readonly string[];
  /** Kubernetes namespaces whose policies may refer to it; * matches any text. */
  readonly namespaces: readonly string[];
}

/** What is wrong with an entry, for anybody who has written it: with the place, and what to write instead. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/** A key of an entry. */
export interface Field {
  readonly schema: Readonly<Record<string, unknown>>;
  /** What to write. */
  readonly allowed: string;
  readonly isRequired?: boolean;
}

const ADDRESS = { type: 'string', pattern: '^https?://[^\\s/?#@]+(/[^\\s?#@]*)?$', format: 'address' } as const;
const SEGMENTS = '[-A-Za-z0-9_~][-A-Za-z0-9_.~]*(/[-A-Za-z0-9_~][-A-Za-z0-9_.~]*)*';
const listOf = (items: object): Field['schema'] => ({ type: 'array', minItems: 1, uniqueItems: true, items });

const FIELDS: Readonly<Record<string, Field>> = {
  name: {
    schema: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' },
    allowed: 'a name for policies to refer to, of lower case letters, digits and dashes, such as main',
    isRequired: true,
  },
  address: {
    schema: ADDRESS,
    allowed: 'https://HOST[:PORT][/PATH], such as https://vault.example.com:8200',
    isRequired: true,
  },
  allowPlaintext: { schema: { type: 'boolean' }, allowed: 'true or false' },
  aliases: {
    schema: listOf(ADDRESS),
    allowed: 'a list of other addresses by which policies know the same Vault, such as [https://vault.vault.svc:8200]',
  },
  namespace: {
    schema: { type: 'string', maxLength: 256, pattern: '^([^/\\s*{}]+(/[^/\\s*{}]+)*)?$' },
    allowed: 'one namespace of Vault without slashes at its ends, such as admin/team-a; empty is its root',
  },
  mount: {
    schema: { type: 'string', pattern: `^${SEGMENTS}$` },
    allowed: 'the path of a Kubernetes or JWT auth method without auth/ before it, such as kubernetes',
  },
  role: {
    schema: { type: 'string', pattern: '^[!-~]+$' },
    allowed: 'the name of a role of the auth method, such as vault-injection-operator',
  },
  audience: { schema: { type: 'string', pattern: '^[!-~]+$' }, allowed: 'an audience, such as vault' },
  serviceAccount: {
    schema: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' },
    allowed: "the name of a ServiceAccount in the operator's namespace, such as vault-injection-operator-vault",
  },
  caFile: { schema: { type: 'string', minLength: 1 }, allowed: 'the name of a PEM file with CA certificates' },
  serverName: {
    schema: { type: 'string', pattern: '^[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?$' },
    allowed: "a name in the certificate of Vault, such as vault.example.com, or leave it out for the address's host",
  },
  paths: {
    schema: listOf({ type: 'string' }),
    allowed: 'a list of paths as references name them, such as [secret/data/{namespace}/*]',
    isRequired: true,
  },
  namespaces: {
    schema: listOf({ type: 'string', pattern: '^[-a-z0-9*]+$' }),
    allowed: 'a list of Kubernetes namespaces, * as wildcard, such as [shop, team-a-*]',
  },
};

/** Returns the table of the keys of an entry, from which the chart's schema is made. */
export const identityFields = (): Readonly<Record<string, Field>> => FIELDS;

interface Written {
  readonly name: string;
  readonly address: string;
  readonly allowPlaintext?: boolean;
  readonly aliases?: readonly string[];
  readonly namespace?: string;
  readonly mount?: string;
  readonly role?: string;
  readonly audience?: string;
  readonly serviceAccount?: string;
  readonly caFile?: string;
  readonly serverName?: string;
  readonly paths: readonly string[];
  readonly namespaces?: readonly string[];
}

/**
 * Returns the entries of the list, with what they leave out. Throws IdentityError.
 *
 * @param list as it was in a YAML file
 * @param serviceAccount of entries that name none
 * @param readFile returns the content of a caFile; throws if there is none
 */
export function readIdentities(
  list: unknown,
  serviceAccount: string,
  readFile: (path: string) => string,
): readonly VaultIdentity[] {
  if (!Array.isArray(list)) {
    throw new IdentityError('write a list of entries, each with name, address and paths (docs/guides/rotation.md)');
  }
  const identities = list.map((entry: unknown, index) => {
    const place = placeOf(entry, index);
    const written = checked(entry, place);
    const caBundle = written.caFile === undefined ? '' : bundleIn(written.caFile, place, readFile);
    return identityOf(written, serviceAccount, caBundle);
  });
  const names = identities.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new IdentityError(`two entries have the name ${repeated}; give each a name of its own`);
  }
  return identities;
}

function placeOf(entry: unknown, index: number): string {
  const name = (entry as { name?: unknown } | null | undefined)?.name;
  return `entry ${index + 1}${typeof name === 'string' ? ` (${shortened(name)})` : ''}`;
}

function checked(entry: unknown, place: string): Written {
  const fail = (text: string): never => {
    throw new IdentityError(`${place}: ${text}`);
  };
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    return fail('write a mapping with name, address and paths');
  }
  const values = entry as Record<string, unknown>;
  for (const key of Object.keys(values)) {
    if (!Object.hasOwn(FIELDS, key))
      fail(`unknown key "${shortened(key)}"; allowed: ${Object.keys(FIELDS).join(', ')}`);
  }
  const ajv = new Ajv();
  ajv.addFormat('address', { type: 'string', validate: (text: string) => URL.canParse(text) });
  for (const [key, { schema, allowed, isRequired = false }] of Object.entries(FIELDS)) {
    if (!Object.hasOwn(values, key)) {
      if (isRequired) fail(`${key} is missing; write ${allowed}`);
    } else if (!ajv.validate(schema, values[key])) {
      fail(`${key}: ${quoted(values[key])} is not allowed; write ${allowed}`);
    }
  }
  const written = values as unknown as Written;
  if (written.address.startsWith('http:') && written.allowPlaintext !== true) {
    fail(
      "address: the operator's token would be sent unencrypted; write https://, or allowPlaintext: true if that is meant",
    );
  }
  for (const path of written.paths) {
    const fault = faultOfPattern(path);
    if (fault !== undefined) fail(`paths: "${shortened(path)}" ${fault}`);
  }
  return written;
}

/** Returns the value as JSON, without what stands before an @: it may be a password. */
function quoted(value: unknown): string {
  return shortened(JSON.stringify(value).replace(/\/\/[^/"]*@/g, '//…@'));
}

const PLACEHOLDER = '{namespace}';

/** Returns what is wrong with a pattern, and what to write; undefined if nothing is. */
function faultOfPattern(pattern: string): string | undefined {
  const advice = `write it as references do, such as secret/data/${PLACEHOLDER}/*`;
  if (/[\s#?%]/.test(pattern)) return `has a space or one of #?%; ${advice}`;
  if (/[{}]/.test(pattern.replaceAll(PLACEHOLDER, ''))) return `has braces that are not ${PLACEHOLDER}; ${advice}`;
  const segments = pattern.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return `has a segment that is empty, . or ..; ${advice}`;
  }
  // A KV store of version 1 may hold secrets below a folder that is called metadata.
  const data = segments.indexOf('data', 1);
  const isLiteral = segments.slice(0, data).every((segment) => !/[*{]/.test(segment));
  if (data < 0 || data === segments.length - 1 || !isLiteral) {
    return `does not begin with the mount of a KV version 2 store, without wildcards, and data/; ${advice}`;
  }
  const first = segments.findIndex((segment) => segment.includes(PLACEHOLDER));
  if (first >= 0 && segments.slice(0, first + 1).some((segment) => segment.includes('*'))) {
    return (
      `has * before or beside ${PLACEHOLDER}, so that a namespace would see paths of others; ` +
      `write ${PLACEHOLDER} in a segment without * and after none, such as secret/data/${PLACEHOLDER}/*`
    );
  }
  return undefined;
}

function bundleIn(caFile: string, place: string, readFile: (path: string) => string): string {
  let text: string;
  try {
    text = readFile(caFile);
  } catch (error) {
    throw new IdentityError(`${place}: caFile ${caFile}: ${(error as Error).message}`);
  }
  const fault = faultOfCertificates(text);
  if (fault !== undefined) throw new IdentityError(`${place}: caFile ${caFile}: ${fault}`);
  return text;
}

function identityOf(written: Written, serviceAccount: string, caBundle: string): VaultIdentity {
  return {
    name: written.name,
    address: written.address.replace(/\/+$/, ''),
    aliases: written.aliases ?? [],
    namespace: written.namespace ?? '',
    mount: written.mount ?? 'kubernetes',
    role: written.role ?? 'vault-injection-operator',
    audience: written.audience ?? 'vault',
    serviceAccount: written.serviceAccount ?? serviceAccount,
    caBundle,
    serverName: written.serverName ?? '',
    paths: written.paths,
    namespaces: written.namespaces ?? ['*'],
  };
}
