/**
 * Docker configurations: which user and password are for which registry. Read and matched like the kubelet
 * (k8s.io/kubernetes/pkg/credentialprovider, keyring.go and config.go), so that exactly the credentials that open an
 * image for a pod open it here.
 */
import { fromBase64 } from '../../core/base64.ts';
import { asObject, asString, parseJson } from '../../core/json.ts';
import { compareText } from '../../core/order.ts';
import type { RawObject } from '../../core/json.ts';
import type { ImageReference } from './reference.ts';

export interface Credential {
  readonly username: string;
  readonly password: string;
}

/**
 * A credential and what it is for: a host with optional port and path, with * and ? as wildcards within a part of the
 * host.
 */
export interface KeyringEntry {
  readonly pattern: string;
  readonly credential: Credential;
}

/** Returns the entries of a `.dockerconfigjson` (or a config.json); skips those that cannot be read. */
export function readDockerConfigJson(text: string): readonly KeyringEntry[] {
  return entriesOf(asObject(asObject(parseJson(text))?.auths));
}

/** Returns the entries of a `.dockercfg`, the older format. */
export function readDockercfg(text: string): readonly KeyringEntry[] {
  return entriesOf(asObject(parseJson(text)));
}

/**
 * Returns the credentials for an image, in the order in which to try them: the more specific pattern first, and for one
 * pattern in the order given.
 */
export function credentialsFor(
  { registry, repository }: Pick<ImageReference, 'registry' | 'repository'>,
  entries: readonly KeyringEntry[],
): readonly Credential[] {
  const image = { ...hostOf(registry), path: `/${repository}` };
  const found = entries.filter(({ pattern }) => matches(pattern, image));
  // Docker's own name for its registry counts if no entry uses the name in images.
  const usable = found.length > 0 || registry !== 'docker.io' ? found : entries.filter(isForDocker);
  // Reverse text order, as in the kubelet: longer before shorter, names before wildcards.
  const sorted = usable.toSorted((a, b) => compareText(b.pattern, a.pattern));
  return sorted.map(({ credential }) => credential);
}

function entriesOf(auths: RawObject | undefined): readonly KeyringEntry[] {
  return Object.entries(auths ?? {}).flatMap(([key, value]) => {
    const pattern = patternOf(key);
    const credential = credentialOf(asObject(value));
    return pattern === undefined || credential === undefined ? [] : [{ pattern, credential }];
  });
}

/** Docker writes `https://index.docker.io/v1/`: neither the scheme nor the API version is part of the pattern. */
function patternOf(key: string): string | undefined {
  const [host = '', ...rest] = key.replace(/^https?:\/\//, '').split('/');
  if (host === '') return undefined;
  const path = `/${rest.join('/')}`.replace(/^\/v[12]\//, '/');
  return path === '/' ? host : `${host}${path}`;
}

function credentialOf(entry: RawObject | undefined): Credential | undefined {
  const auth = asString(entry?.auth) ?? '';
  if (auth !== '') {
    const text = fromBase64(auth);
    const colon = text.indexOf(':');
    return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const username = asString(entry?.username) ?? '';
  return username === '' ? undefined : { username, password: asString(entry?.password) ?? '' };
}

interface Target {
  readonly labels: readonly string[];
  readonly port: string;
  readonly path: string;
}

function matches(pattern: string, image: Target): boolean {
  const slash = pattern.indexOf('/');
  const { labels, port } = hostOf(slash < 0 ? pattern : pattern.slice(0, slash));
  if (port !== image.port || labels.length !== image.labels.length) return false;
  if (slash >= 0 && !image.path.startsWith(pattern.slice(slash))) return false;
  return labels.every((label, index) => matchesLabel(label, image.labels[index] ?? ''));
}

function isForDocker({ pattern }: KeyringEntry): boolean {
  return pattern === 'index.docker.io';
}

function hostOf(registry: string): Pick<Target, 'labels' | 'port'> {
  const [, host = registry, port = ''] = /^(.*?):(\d+)$/.exec(registry) ?? [];
  return { labels: host.split('.'), port };
}

/**
 * Go's path.Match without character classes: * matches any run of characters, ? one. Only the last * is widened if what
 * follows does not match; earlier ones never need to be, so a label of n characters costs at most n² steps.
 */
function matchesLabel(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let i = 0; i < text.length;) {
    if (pattern[at] === '*') {
      star = at++;
      resume = i;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[i])) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}
