import { asList, asObject, asString, parseJson } from '../../core/json.ts';
import { compareVersions } from '../../core/resource-version.ts';

/** What a replica tells the others by its Lease, and what follows from what all of them tell. Pure. */

/** A workload that a replica's admission denied; of several of one policy, the newest. */
export interface PublishedDenial {
  /** Key of the policy: `namespace/name`. */
  readonly policy: string;
  /** RFC 3339 with milliseconds, by the clock of the replica that denied. */
  readonly time: string;
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  readonly message: string;
}

/** What may become of a pod that is created under a policy. */
export type PodOutcome = 'injected' | 'denied' | 'failed' | 'unchanged';

/** How many pods of a policy a replica's admission has decided on, since its process began. */
export interface PublishedPods extends Readonly<Record<PodOutcome, number>> {
  /** Key of the policy: `namespace/name`. */
  readonly policy: string;
  readonly uid: string;
  /** When the first and the last of them were reviewed, in seconds since the epoch, by the clock of the replica. */
  readonly first: number;
  readonly last: number;
}

export interface ReplicaState {
  readonly identity: string;
  /** Whether reviews may be sent to it: what its /readyz says. */
  readonly ready: boolean;
  /** The resourceVersion up to which the rules of policies are in force in it; '' if they are not loaded. */
  readonly policies: string;
  /** SHA-256 fingerprints of the authorities in its bundle. */
  readonly authorities: readonly string[];
  /** Fingerprint of the authority that the certificate which it serves chains to; '' if it serves none. */
  readonly serves: string;
  readonly denials: readonly PublishedDenial[];
  /** Of some policies (own-pods.ts); left out if there are none. */
  readonly pods?: readonly PublishedPods[];
  /** Names of the tokens in paths at which it answers; left out by versions that know no tokens. */
  readonly paths?: readonly string[];
}

/** The fingerprint of an authority that no replica has: what a replica serves whose state cannot be read. */
export const UNKNOWN_AUTHORITY = 'unknown';

// Annotations of an object share 256 KiB; this leaves room, and one write per second stays small.
const LONGEST_DOCUMENT = 65_536;

// Of a row of the document.
const PODS = ['policy', 'uid', 'injected', 'denied', 'failed', 'unchanged', 'first', 'last'] as const;

/** Returns the document of a state; the oldest denials are left out if it would be too long. */
export function encodeState({
  ready,
  policies,
  authorities,
  serves,
  paths,
  denials,
  pods = [],
}: Omit<ReplicaState, 'identity'>): string {
  const rows = pods.length === 0 ? undefined : pods.map((one) => PODS.map((field) => one[field]));
  const head = JSON.stringify({ ready, policies, authorities, serves, paths, pods: rows }).slice(0, -1);
  const told: string[] = [];
  // with the end of the document
  let bytes = Buffer.byteLength(head) + ',"denials":[]}'.length;
  for (const denial of denials.toSorted((a, b) => compareDenials(b, a))) {
    const text = JSON.stringify(denial);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > LONGEST_DOCUMENT) break;
    told.push(text);
  }
  return `${head},"denials":[${told.join(',')}]}`;
}

/**
 * Reads a document. One that cannot be read is of a replica that must be reckoned with, as long as its Lease lives: it
 * counts as ready, without any rules, and as serving an authority that nobody knows.
 */
export function decodeState(identity: string, document: string | undefined): ReplicaState {
  const found = asObject(parseJson(document ?? ''));
  const authorities = asList(found?.authorities);
  const paths = asList(found?.paths);
  const pods = (asList(found?.pods) ?? []).flatMap(podsOf);
  if (found === undefined || authorities === undefined) {
    return { identity, ready: true, policies: '', authorities: [], serves: UNKNOWN_AUTHORITY, denials: [] };
  }
  return {
    identity,
    ready: found.ready !== false,
    policies: asString(found.policies) ?? '',
    authorities: authorities.filter((one) => typeof one === 'string'),
    serves: asString(found.serves) ?? UNKNOWN_AUTHORITY,
    ...(paths === undefined ? {} : { paths: paths.filter((one) => typeof one === 'string') }),
    denials: (asList(found.denials) ?? []).flatMap(denialOf),
    ...(pods.length > 0 && { pods }),
  };
}

function denialOf(value: unknown): PublishedDenial[] {
  const { policy, time, kind, name, reason, message } = asObject(value) ?? {};
  const fields = { policy, time, kind, name, reason, message };
  const isWhole = Object.values(fields).every((field) => typeof field === 'string');
  return isWhole && !Number.isNaN(Date.parse(String(time))) ? [fields as PublishedDenial] : [];
}

function podsOf(value: unknown): PublishedPods[] {
  const row = asList(value) ?? [];
  const [policy, uid, ...numbers] = row;
  const isWhole =
    typeof policy === 'string' &&
    typeof uid === 'string' &&
    numbers.length === PODS.length - 2 &&
    numbers.every((one) => Number.isSafeInteger(one) && Number(one) >= 0);
  if (!isWhole) return [];
  return [Object.fromEntries(PODS.map((field, index) => [field, row[index]])) as unknown as PublishedPods];
}

/** Orders denials by time; those of the same second, which statuses cannot tell apart, by what was denied. */
export function compareDenials(a: Omit<PublishedDenial, 'policy'>, b: Omit<PublishedDenial, 'policy'>): number {
  const second = ({ time }: { readonly time: string }): number => Math.floor(Date.parse(time) / 1000);
  const text = ({ kind, name, reason }: Omit<PublishedDenial, 'policy'>): string => `${kind}/${name}/${reason}`;
  return second(a) - second(b) || (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0);
}

/** Returns the newest denial of each policy that any replica tells of. */
export function newestDenials(states: readonly ReplicaState[]): readonly PublishedDenial[] {
  const newest = new Map<string, PublishedDenial>();
  for (const denial of states.flatMap(({ denials }) => denials)) {
    const known = newest.get(denial.policy);
    if (known === undefined || compareDenials(denial, known) > 0) newest.set(denial.policy, denial);
  }
  return [...newest.values()];
}

/** Returns the newest resourceVersion up to which any replica has the rules of policies in force; '' if none has. */
export function newestPublished(states: readonly Pick<ReplicaState, 'policies'>[]): string {
  return states.reduce(
    (newest, { policies }) => ((compareVersions(policies, newest === '' ? '0' : newest) ?? -1) > 0 ? policies : newest),
    '',
  );
}

/**
 * Whether the rules of policies are in force up to this resourceVersion in every replica that is ready. One that
 * publishes nothing that can be read does not have them; one without a Lease is not among the states.
 */
export function allHave(states: readonly Pick<ReplicaState, 'ready' | 'policies'>[], resourceVersion: string): boolean {
  return states
    .filter(({ ready }) => ready)
    .every(({ policies }) => (compareVersions(policies, resourceVersion) ?? -1) >= 0);
}
