import { fromBase64 } from '../../core/base64.ts';
import { asObject, asString, equal } from '../../core/json.ts';
import { mark } from '../../core/marks.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { KINDS } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { buildEntry, buildProbeEntry, entryKeyOf, FIELD_MANAGER, NAMESPACE_LABEL, tokenOf } from './configuration.ts';
import type { Entry, EntryKey, WebhookConfiguration, WebhookEntry, WebhookTarget } from './configuration.ts';
import { bothOf, NOTHING } from './groups.ts';
import type { Sent } from './groups.ts';
import { furtherConditions, keepingNarrowing, narrowingOf } from './narrowing.ts';
import type { Narrowing } from './narrowing.ts';
import { kindsIn } from './workload-rules.ts';

/** What the MutatingWebhookConfiguration in the cluster says, and how it differs from what it should be. */

/**
 * Returns the namespace of the other installation that keeps this configuration; undefined if it is this one's or
 * nobody's. One from a version that did not mark it belongs to where its Service is; by a URL nobody can tell.
 */
export function otherInstallation(observed: WebhookConfiguration, installation: string): string | undefined {
  const marked = observed.metadata.annotations?.[mark.installation];
  // an empty mark is none
  const owner = (marked === '' ? undefined : marked) ?? ownEntries(observed).map(serviceNamespaceOf).find(Boolean);
  return owner === installation ? undefined : owner;
}

/**
 * Whether the cluster's object is as it should be in what the operator owns: its labels, its mark, its owner and its
 * entries. Additions that only narrow an entry are fine, and so are further owners.
 */
export function isAsDesired(observed: WebhookConfiguration | undefined, desired: WebhookConfiguration): boolean {
  if (observed === undefined) return false;
  return (
    includes(observed.metadata.labels, desired.metadata.labels) &&
    includes(observed.metadata.annotations, desired.metadata.annotations) &&
    (desired.metadata.ownerReferences ?? []).every((owner) =>
      observed.metadata.ownerReferences?.some((other) => equal(other, owner)),
    ) &&
    [...ownEntries(observed), ...ownEntries(desired)].every(({ name }) =>
      isEntryAsDesired(entryNamed(observed, name), entryNamed(desired, name)),
    )
  );
}

/**
 * Returns `desired` with what others have added to the selectors of the observed entries. An entry that comes gets what
 * they have added to one with its failure policy: they would add it, and until then it would send more here.
 */
export function withNarrowing(
  desired: WebhookConfiguration,
  observed: WebhookConfiguration | undefined,
): WebhookConfiguration {
  if (observed === undefined) return desired;
  return {
    ...desired,
    webhooks: (desired.webhooks ?? []).map((entry) => keepingNarrowing(entry, likeIn(observed, entry.name))),
  };
}

/**
 * Returns the observed object with exactly these entries of the operator, apart from conditions that others have added;
 * the entries of others stay.
 */
export function withExactEntries(observed: WebhookConfiguration, desired: WebhookConfiguration): WebhookConfiguration {
  const others = (observed.webhooks ?? []).filter(({ name }) => entryKeyOf(name) === undefined);
  const own = (desired.webhooks ?? []).map((entry) => ({
    ...entry,
    matchConditions: [
      ...((entry.matchConditions ?? []) as readonly unknown[]),
      ...furtherConditions(entry, entryNamed(observed, entry.name)),
    ],
  }));
  const labels = { ...observed.metadata.labels, ...desired.metadata.labels };
  const annotations = { ...observed.metadata.annotations, ...desired.metadata.annotations };
  return { ...observed, metadata: { ...observed.metadata, labels, annotations }, webhooks: [...others, ...own] };
}

/** Returns what an object sends here, by failure policy, whatever else narrows that. */
export function sentBy(observed: WebhookConfiguration, table: Kinds = KINDS): Record<Entry, Sent> {
  const of = (entry: Entry): Sent =>
    ownEntries(observed, entry).reduce((sent, found) => bothOf(sent, sentByEntry(found, table)), NOTHING);
  return { ignore: of('ignore'), fail: of('fail') };
}

function sentByEntry(found: WebhookEntry, table: Kinds): Sent {
  const kinds = new Set(kindsIn(found.rules, table));
  return new Map(
    includedBy(found)
      .flat()
      .map((namespace) => [namespace, kinds]),
  );
}

/** Returns the authorities (PEM) that every entry of the operator trusts; undefined if it has no entry. */
export function publishedBundle(observed: WebhookConfiguration): string | undefined {
  const bundles = ownEntries(observed).map(({ clientConfig }) => bundleIn(clientConfig));
  const [first] = bundles;
  return bundles.every((bundle) => bundle === first) ? first : '';
}

/** Returns the tokens in the paths by which the entries of the operator call this webhook. */
export function publishedTokens(observed: WebhookConfiguration, target: WebhookTarget): readonly string[] {
  const found = ownEntries(observed).map(({ name, clientConfig }) => {
    const key = entryKeyOf(name);
    return key && tokenOf(clientConfig, target, key);
  });
  return [...new Set(found.filter((token) => token !== undefined))];
}

/** An entry by which API servers call this webhook and trust it. */
export interface ServedEntry {
  readonly key: EntryKey;
  /** None if it is for the probe. */
  readonly kinds: readonly WorkloadKind[];
  readonly namespaces: readonly string[];
  /** What somebody has added to it, which may keep some of the namespaces out. */
  readonly narrowing: Narrowing;
}

/**
 * Returns the entries by which API servers, by this object, call this webhook and trust it: those that are intact except
 * for namespaces, bundle, the token in the path and additions that narrow, and whose bundle includes `authority` (PEM).
 *
 * @param external all namespaces, if somebody else keeps the object: any namespaceSelector is one that narrows these
 */
export function servedEntries(
  observed: WebhookConfiguration,
  {
    target,
    installation,
    table,
  }: { readonly target: WebhookTarget; readonly installation: string; readonly table?: Kinds | undefined },
  authority: string,
  external?: readonly string[],
): readonly ServedEntry[] {
  return ownEntries(observed).flatMap((found): readonly ServedEntry[] => {
    const key = entryKeyOf(found.name);
    const caBundle = bundleIn(found.clientConfig);
    if (key === undefined || !certificateBlocks(caBundle).includes(authority.trim())) return [];
    // of several lists of names the others count as additions, no matter who wrote which
    const [listed = []] = includedBy(found);
    const token = tokenOf(found.clientConfig, target, key);
    if (token === undefined) return [];
    const kinds = key === 'probe' ? [] : kindsIn(found.rules, table);
    const built =
      key === 'probe'
        ? buildProbeEntry({ target, caBundle, token, installation })
        : buildEntry(key, { target, caBundle, token, kinds, namespaces: listed, name: found.name, table });
    const narrowing = narrowingOf(found, external === undefined ? built : { ...built, namespaceSelector: {} });
    if (narrowing === undefined) return [];
    return [{ key, kinds, namespaces: key === 'probe' ? [installation] : (external ?? listed), narrowing }];
  });
}

/** Returns who else wrote last, by managedFields; for the log. */
export function lastOtherManager(observed: WebhookConfiguration): string | undefined {
  const managed = observed.metadata.managedFields;
  if (!Array.isArray(managed)) return undefined;
  const others = (managed as { manager?: string; time?: string }[]).filter(({ manager }) => manager !== FIELD_MANAGER);
  return others.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''))[0]?.manager;
}

/** Whether the object has an entry of this sort. */
export function hasEntry(observed: WebhookConfiguration | undefined, entry: EntryKey): boolean {
  return observed !== undefined && ownEntries(observed, entry).length > 0;
}

/** Returns the entries of the operator, or those of one sort. */
export function ownEntries({ webhooks }: WebhookConfiguration, sort?: EntryKey): readonly WebhookEntry[] {
  return (webhooks ?? []).filter(({ name }) => {
    const key = entryKeyOf(name);
    return key !== undefined && (sort === undefined || key === sort);
  });
}

/** Returns the entry of this name; else the first with the same failure policy. */
function likeIn(observed: WebhookConfiguration, name: string): WebhookEntry | undefined {
  return entryNamed(observed, name) ?? ownEntries(observed, entryKeyOf(name))[0];
}

function isEntryAsDesired(observed: WebhookEntry | undefined, desired: WebhookEntry | undefined): boolean {
  if (observed === undefined || desired === undefined) return observed === desired;
  return narrowingOf(observed, desired) !== undefined;
}

/** Returns the entry of this name. */
export function entryNamed({ webhooks }: WebhookConfiguration, name: string): WebhookEntry | undefined {
  return webhooks?.find((entry) => entry.name === name);
}

/** Returns the lists of names that an entry includes namespaces by: one, unless somebody has added another. */
function includedBy(entry: WebhookEntry | undefined): readonly (readonly string[])[] {
  const selector = entry?.namespaceSelector as
    { matchExpressions?: { key?: string; operator?: string; values?: string[] }[] } | undefined;
  return (selector?.matchExpressions ?? [])
    .filter(({ key, operator }) => key === NAMESPACE_LABEL && operator === 'In')
    .map(({ values }) => values ?? []);
}

function serviceNamespaceOf(entry: WebhookEntry | undefined): string | undefined {
  return asString(asObject(asObject(entry?.clientConfig)?.service)?.namespace);
}

/** Returns the PEM in a clientConfig; '' if there is none. */
export function bundleIn(clientConfig: unknown): string {
  const caBundle = asString(asObject(clientConfig)?.caBundle);
  return caBundle === undefined ? '' : fromBase64(caBundle);
}

function includes(
  map: Readonly<Record<string, unknown>> = {},
  wanted: Readonly<Record<string, unknown>> = {},
): boolean {
  return Object.entries(wanted).every(([key, value]) => equal(map[key], value));
}
