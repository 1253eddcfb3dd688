import { fromBase64, toBase64 } from '../../core/base64.ts';
import { mark } from '../../core/marks.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { isPathToken } from '../../core/path-token.ts';
import { parseCertificate } from '../../core/pem.ts';
import type { Authority } from './authority.ts';
import { usableAuthority } from './authority.ts';
import { UNGUARDED } from '../paths/path.ts';
import type { PathSet } from '../paths/rotation.ts';
import { isKeyOf } from './inspect.ts';
import type { ServingPair } from './inspect.ts';

export const SECRET_NAME = 'vault-injection-operator-webhook';

/** All that replicas share about certificates, and the tokens in the paths of the webhook. */
export interface CertificateSet {
  /** Signs what is served. */
  readonly current: Authority;
  /** Staged: published, not yet used. */
  readonly next?: Authority;
  /** PEM of the certificate only: it signs nothing any more. */
  readonly previous?: string;
  /** Milliseconds since the epoch: when `current` took over from `previous`. */
  readonly promotedAt?: number;
  /** For the next start, which then need not issue one. */
  readonly leaf?: ServingPair;
  /** Left out by versions that have no tokens. */
  readonly path?: PathSet;
}

/** The parts of a set in a Secret's data; damaged ones are left out and named. */
export interface StoredSet extends Partial<CertificateSet> {
  /** Keys of the Secret whose content is unusable. */
  readonly damaged: readonly string[];
  /** PEM of the current authority's certificate if only its key is damaged: what it signed is still trusted. */
  readonly orphan?: string;
}

export interface Secret extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

// ca.crt, tls.crt and tls.key as cert-manager and Ingress name them
const KEYS = {
  current: ['ca.crt', 'ca.key'],
  next: ['next-ca.crt', 'next-ca.key'],
  previous: 'previous-ca.crt',
  promotedAt: 'promoted-at',
  leaf: ['tls.crt', 'tls.key'],
  path: ['path-token', 'path-token-since'],
  previousPaths: 'previous-path-tokens',
  pathRenewed: 'path-token-renewed',
} as const;

/** Returns the value by which somebody asks for a new authority; undefined if nobody does, or it has been honoured. */
export function askedRenewal(secret: Secret | undefined): string | undefined {
  const asked = secret?.metadata.annotations?.[mark.renew];
  return asked === secret?.metadata.annotations?.[mark.renewed] ? undefined : asked;
}

/** Returns the value by which somebody asks for new tokens and authorities, whether or not it has been honoured. */
export function askedAtAll(secret: Secret | undefined): string | undefined {
  return secret?.metadata.annotations?.[mark.renew];
}

/** Returns the `data` of the Secret: the keys of the set, and those of `others` that do not belong to a set. */
export function encodeSet(set: CertificateSet, others: Readonly<Record<string, string>> = {}): Record<string, string> {
  const text: Record<string, string | undefined> = {
    [KEYS.current[0]]: set.current.certificate,
    [KEYS.current[1]]: set.current.key,
    [KEYS.next[0]]: set.next?.certificate,
    [KEYS.next[1]]: set.next?.key,
    [KEYS.previous]: set.previous,
    [KEYS.promotedAt]: set.promotedAt === undefined ? undefined : new Date(set.promotedAt).toISOString(),
    [KEYS.leaf[0]]: set.leaf?.cert,
    [KEYS.leaf[1]]: set.leaf?.key,
    ...encodePath(set.path),
  };
  const data = Object.fromEntries(Object.entries(others).filter(([key]) => !(key in text)));
  for (const [key, value] of Object.entries(text)) {
    if (value !== undefined) data[key] = toBase64(value);
  }
  return data;
}

/** Reads a Secret part by part: a damaged one does not affect the others. */
export function decodeSet(secret: Secret): StoredSet {
  const read = (key: string): string | undefined => {
    const value = secret.data?.[key];
    return value === undefined ? undefined : fromBase64(value);
  };
  const damaged: string[] = [];
  const check = <T>(part: T | undefined, isWhole: boolean, keys: readonly string[]): T | undefined => {
    if (part !== undefined && isWhole) return part;
    if (keys.some((key) => read(key) !== undefined)) damaged.push(...keys);
    return undefined;
  };
  const authority = ([crt, key]: readonly [string, string]): Authority | undefined => {
    const found = { certificate: read(crt) ?? '', key: read(key) ?? '' };
    return check(found, usableAuthority(found) !== undefined, [crt, key]);
  };
  const current = authority(KEYS.current);
  const next = authority(KEYS.next);
  const previousPem = read(KEYS.previous);
  const previous = check(previousPem, parseCertificate(previousPem ?? '') !== undefined, [KEYS.previous]);
  const time = Date.parse(read(KEYS.promotedAt) ?? '');
  const promotedAt = check(time, !Number.isNaN(time), [KEYS.promotedAt]);
  const leafPair = { cert: read(KEYS.leaf[0]) ?? '', key: read(KEYS.leaf[1]) ?? '' };
  const leafCertificate = parseCertificate(leafPair.cert);
  const leaf = check(leafPair, leafCertificate !== undefined && isKeyOf(leafCertificate, leafPair.key), KEYS.leaf);
  const path = decodePath(read);
  if (path === 'damaged') damaged.push(...KEYS.path);
  if (current === undefined && damaged.length === 0) damaged.push(...KEYS.current);
  const orphan = current === undefined ? read(KEYS.current[0]) : undefined;
  return {
    damaged,
    ...(orphan !== undefined && parseCertificate(orphan) !== undefined && { orphan }),
    ...(current && { current }),
    ...(next && { next }),
    ...(previous !== undefined && { previous }),
    ...(promotedAt !== undefined && { promotedAt }),
    ...(leaf && { leaf }),
    ...(typeof path === 'object' && { path }),
  };
}

// what stands for the path without a token in a list of tokens
const NONE = 'none';

function encodePath(path: PathSet | undefined): Record<string, string | undefined> {
  return {
    [KEYS.path[0]]: path?.current,
    [KEYS.path[1]]: path && new Date(path.since).toISOString(),
    [KEYS.previousPaths]:
      path === undefined || path.previous.length === 0
        ? undefined
        : path.previous.map((token) => (token === UNGUARDED ? NONE : token)).join(' '),
    [KEYS.pathRenewed]: path?.renewed,
  };
}

function decodePath(read: (key: string) => string | undefined): PathSet | 'damaged' | undefined {
  const current = read(KEYS.path[0]);
  const since = Date.parse(read(KEYS.path[1]) ?? '');
  const renewed = read(KEYS.pathRenewed);
  if (current === undefined) return undefined;
  const previous = (read(KEYS.previousPaths) ?? '')
    .split(' ')
    .filter((token) => token !== '')
    .map((token) => (token === NONE ? UNGUARDED : token));
  const isWhole = [current, ...previous.filter((token) => token !== UNGUARDED)].every(isPathToken);
  if (!isWhole || Number.isNaN(since)) return 'damaged';
  return { current, previous, since, ...(renewed !== undefined && { renewed }) };
}

/** Returns what API servers should trust: current, next and previous, in this order, as PEM. */
export function bundleOf({ current, next, previous }: Pick<CertificateSet, 'current' | 'next' | 'previous'>): string {
  return [current.certificate, next?.certificate, previous]
    .filter((pem) => pem !== undefined)
    .map((pem) => `${pem.trim()}\n`)
    .join('');
}
