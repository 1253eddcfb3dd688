import { fromBase64 } from '../../core/base64.ts';
import { asObject, asString, equal } from '../../core/json.ts';
import { mark } from '../../core/marks.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { buildEntry, buildProbeEntry, ENTRY_NAMES, FIELD_MANAGER, NAMESPACE_LABEL, tokenOf } from './configuration.ts';
import type { Entry, EntryKey, WebhookConfiguration, WebhookEntry, WebhookTarget } from './configuration.ts';
import { furtherConditions, keepingNarrowing, narrowingOf } from './narrowing.ts';
import type { Narrowing } from './narrowing.ts';

/** What the MutatingWebhookConfiguration in the cluster says, and how it differs from what it should be. */

const OWN_NAMES: readonly string[] = Object.values(ENTRY_NAMES);

/**
 * Returns the namespace of the other installation that keeps this configuration; undefined if it is this one's or
 * nobody's. One from a version that did not mark it belongs to where its Service is; by a URL nobody can tell.
 */
export function otherInstallation(observed: WebhookConfiguration, installation: string): string | undefined {
  const marked = observed.metadata.annotations?.[mark.installation];
  // an empty mark is none
  const owner =
    (marked === '' ? undefined : marked) ??
    OWN_NAMES.map((name) => serviceNamespaceOf(entryNamed(observed, name))).find(Boolean);
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
    OWN_NAMES.every((name) => isEntryAsDesired(entryNamed(observed, name), entryNamed(desired, name)))
  );
}

/** Returns `desired` with what others have added to the selectors of the observed entries. */
export function withNarrowing(
  desired: WebhookConfiguration,
  observed: WebhookConfiguration | undefined,
): WebhookConfiguration {
  if (observed === undefined) return desired;
  return {
    ...desired,
    webhooks: (desired.webhooks ?? []).map((entry) => keepingNarrowing(entry, entryNamed(observed, entry.name))),
  };
}

/**
 * Returns the observed object with exactly these entries of the operator, apart from conditions that others have added;
 * the entries of others stay.
 */
export function withExactEntries(observed: WebhookConfiguration, desired: WebhookConfiguration): WebhookConfiguration {
  const others = (observed.webhooks ?? []).filter(({ name }) => !OWN_NAMES.includes(name));
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

/** Returns the namespaces that an object sends here, by entry, whatever else narrows that. */
export function namespacesIn(observed: WebhookConfiguration): Record<Entry, readonly string[]> {
  const of = (entry: Entry): readonly string[] => [
    ...new Set(includedBy(entryNamed(observed, ENTRY_NAMES[entry])).flat()),
  ];
  return { ignore: of('ignore'), fail: of('fail') };
}

/** Returns the authorities (PEM) that every entry of the operator trusts; undefined if it has no entry. */
export function publishedBundle(observed: WebhookConfiguration): string | undefined {
  const bundles = OWN_NAMES.flatMap((name) => {
    const entry = entryNamed(observed, name);
    return entry === undefined ? [] : [bundleIn(entry.clientConfig)];
  });
  const [first] = bundles;
  return bundles.every((bundle) => bundle === first) ? first : '';
}

/** Returns the tokens in the paths by which the entries of the operator call this webhook. */
export function publishedTokens(observed: WebhookConfiguration, target: WebhookTarget): readonly string[] {
  const found = (Object.entries(ENTRY_NAMES) as [EntryKey, string][]).map(([entry, name]) =>
    tokenOf(entryNamed(observed, name)?.clientConfig, target, entry),
  );
  return [...new Set(found.filter((token) => token !== undefined))];
}

/** An entry by which API servers call this webhook and trust it. */
export interface ServedEntry {
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
  { target, installation }: { readonly target: WebhookTarget; readonly installation: string },
  authority: string,
  external?: readonly string[],
): Partial<Record<EntryKey, ServedEntry>> {
  const served = (entry: EntryKey): Partial<Record<EntryKey, ServedEntry>> => {
    const found = entryNamed(observed, ENTRY_NAMES[entry]);
    if (found === undefined) return {};
    const caBundle = bundleIn(found.clientConfig);
    if (!certificateBlocks(caBundle).includes(authority.trim())) return {};
    // of several lists of names the others count as additions, no matter who wrote which
    const [listed = []] = includedBy(found);
    const token = tokenOf(found.clientConfig, target, entry);
    if (token === undefined) return {};
    const namespaces = { ignore: listed, fail: listed };
    const built =
      entry === 'probe'
        ? buildProbeEntry({ target, caBundle, token, installation })
        : buildEntry(entry, { target, caBundle, token, namespaces });
    const narrowing = narrowingOf(found, external === undefined ? built : { ...built, namespaceSelector: {} });
    return narrowing === undefined
      ? {}
      : { [entry]: { namespaces: entry === 'probe' ? [installation] : (external ?? listed), narrowing } };
  };
  return { ...served('ignore'), ...served('fail'), ...served('probe') };
}

/** Returns who else wrote last, by managedFields; for the log. */
export function lastOtherManager(observed: WebhookConfiguration): string | undefined {
  const managed = observed.metadata.managedFields;
  if (!Array.isArray(managed)) return undefined;
  const others = (managed as { manager?: string; time?: string }[]).filter(({ manager }) => manager !== FIELD_MANAGER);
  return others.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''))[0]?.manager;
}

/** Whether the object has this entry of the operator. */
export function hasEntry(observed: WebhookConfiguration | undefined, entry: EntryKey): boolean {
  return observed !== undefined && entryNamed(observed, ENTRY_NAMES[entry]) !== undefined;
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
