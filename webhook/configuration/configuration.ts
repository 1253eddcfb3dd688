import { fromBase64, toBase64 } from '../../core/base64.ts';
import { equal } from '../../core/json.ts';
import type { RawObject } from '../../core/json.ts';
import type { KubernetesObject } from '../../core/object.ts';
import { certificateBlocks } from '../../core/pem.ts';
import { templateDiffers, workloadRules } from './workload-rules.ts';

/** The MutatingWebhookConfiguration that the operator owns, as data: what it should be, and whether it is. */

export const CONFIGURATION_NAME = 'vault-injection-operator';
export const FIELD_MANAGER = 'vault-injection-operator-webhook';

/** The two entries of the MutatingWebhookConfiguration, by failure policy. */
export type Entry = 'ignore' | 'fail';

/** The names of the two entries; the API server also prefixes each audit annotation with them. */
export const ENTRY_NAMES = {
  ignore: 'ignore.vaultinjection.dev',
  fail: 'fail.vaultinjection.dev',
} as const satisfies Record<Entry, string>;

/** How API servers reach the webhook. */
export type WebhookTarget =
  | { readonly service: { readonly name: string; readonly namespace: string; readonly port: number } }
  /** https, without a path, for an operator outside the cluster. */
  | { readonly url: string };

export interface ConfigurationInput {
  readonly target: WebhookTarget;
  /** PEM. */
  readonly caBundle: string;
  readonly namespaces: Readonly<Record<Entry, readonly string[]>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface WebhookEntry extends RawObject {
  readonly name: string;
}

export interface WebhookConfiguration extends KubernetesObject {
  readonly webhooks?: readonly WebhookEntry[];
}

const NAMESPACE_LABEL = 'kubernetes.io/metadata.name';

// A webhook that is unavailable must not keep the cluster from healing itself.
const SYSTEM_NAMESPACES = ['kube-system', 'kube-public', 'kube-node-lease'];

// Admission takes about a millisecond here; the rest is for opening a connection, with one retry.
const TIMEOUT_SECONDS = 5;

// CEL, evaluated by the API server before it calls: most updates of a Deployment are its controllers' and change
// nothing that injection looks at (replicas, paused, finalizers). Absent and empty maps mean the same.
const orEmpty = (owner: string, map: string): string => `(has(${owner}.${map}) ? ${owner}.${map} : {})`;
const differs = (map: string): string => `${orEmpty('object.metadata', map)} != ${orEmpty('oldObject.metadata', map)}`;
const MATCH_CONDITIONS = [
  { name: 'is-not-being-deleted', expression: '!has(object.metadata.deletionTimestamp)' },
  {
    name: 'changes-what-injection-reads',
    expression: `request.operation == 'CREATE' || ${templateDiffers()} || ${differs('labels')} || ${differs('annotations')}`,
  },
];

/**
 * Returns the namespaces that are never sent here, whatever policies they have: the cluster's, and the operator's own.
 */
export function excludedNamespaces(target: WebhookTarget): readonly string[] {
  // an operator called by URL runs elsewhere
  return [...new Set([...SYSTEM_NAMESPACES, ...('service' in target ? [target.service.namespace] : [])])].sort();
}

/**
 * Returns the whole object. An entry exists only while it has namespaces: the API server rejects an empty list in a
 * selector, and an outage of the webhook must only affect those who use it. Without any namespaces the object stays,
 * with an empty list of webhooks: its presence tells a repair from a first start.
 *
 * Every field of an entry is set, including defaults: server-side apply then reverts whatever another writer sets.
 */
export function buildConfiguration(input: ConfigurationInput): WebhookConfiguration {
  const entries: readonly Entry[] = ['ignore', 'fail'];
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: CONFIGURATION_NAME, labels: input.labels },
    webhooks: entries.filter((entry) => input.namespaces[entry].length > 0).map((entry) => buildEntry(entry, input)),
  };
}

function buildEntry(entry: Entry, { target, caBundle, namespaces }: ConfigurationInput): WebhookEntry {
  return {
    name: ENTRY_NAMES[entry],
    admissionReviewVersions: ['v1'],
    clientConfig: { ...clientConfigOf(target, `/mutate/${entry}`), caBundle: toBase64(caBundle) },
    rules: workloadRules(),
    namespaceSelector: {
      matchExpressions: [
        { key: NAMESPACE_LABEL, operator: 'In', values: [...namespaces[entry]].sort() },
        { key: NAMESPACE_LABEL, operator: 'NotIn', values: excludedNamespaces(target) },
      ],
    },
    objectSelector: {},
    matchConditions: MATCH_CONDITIONS,
    matchPolicy: 'Equivalent',
    // a later webhook may add containers or variables
    reinvocationPolicy: 'IfNeeded',
    sideEffects: 'None',
    timeoutSeconds: TIMEOUT_SECONDS,
    failurePolicy: entry === 'fail' ? 'Fail' : 'Ignore',
  };
}

function clientConfigOf(target: WebhookTarget, path: string): RawObject {
  if ('service' in target) return { service: { ...target.service, path } };
  return { url: target.url.replace(/\/+$/, '') + path };
}

/** Whether the cluster's object is as it should be in what the operator owns: its labels and its two entries. */
export function isAsDesired(observed: WebhookConfiguration | undefined, desired: WebhookConfiguration): boolean {
  if (observed === undefined) return false;
  const labels = observed.metadata.labels ?? {};
  const hasLabels = Object.entries(desired.metadata.labels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    hasLabels &&
    Object.values(ENTRY_NAMES).every((name) => equal(entryNamed(observed, name), entryNamed(desired, name)))
  );
}

/** Returns the observed object with exactly these entries of the operator; those of others stay. */
export function withExactEntries(observed: WebhookConfiguration, desired: WebhookConfiguration): WebhookConfiguration {
  const own: readonly string[] = Object.values(ENTRY_NAMES);
  const others = (observed.webhooks ?? []).filter(({ name }) => !own.includes(name));
  const labels = { ...observed.metadata.labels, ...desired.metadata.labels };
  return {
    ...observed,
    metadata: { ...observed.metadata, labels },
    webhooks: [...others, ...(desired.webhooks ?? [])],
  };
}

/** Returns the namespaces that an object sends here, by entry. */
export function namespacesIn(observed: WebhookConfiguration): Record<Entry, readonly string[]> {
  return { ignore: namespacesOf(observed, 'ignore'), fail: namespacesOf(observed, 'fail') };
}

/** Returns the authorities (PEM) that every entry of the operator trusts; undefined if it has no entry. */
export function publishedBundle(observed: WebhookConfiguration): string | undefined {
  const bundles = Object.values(ENTRY_NAMES).flatMap((name) => {
    const entry = entryNamed(observed, name);
    return entry === undefined ? [] : [bundleIn(entry.clientConfig)];
  });
  const [first] = bundles;
  return bundles.every((bundle) => bundle === first) ? first : '';
}

/**
 * Returns the namespaces whose workloads the API server, by this object, sends here and trusts this webhook for: those
 * of entries that are intact except for namespaces and bundle, and whose bundle includes `authority` (PEM).
 */
export function servedNamespaces(
  observed: WebhookConfiguration,
  target: WebhookTarget,
  authority: string,
): Record<Entry, ReadonlySet<string>> {
  const namespaces = namespacesIn(observed);
  const served = (entry: Entry): ReadonlySet<string> => {
    const found = entryNamed(observed, ENTRY_NAMES[entry]);
    const caBundle = bundleIn(found?.clientConfig);
    const isWhole = equal(found, buildEntry(entry, { target, caBundle, namespaces, labels: {} }));
    return new Set(isWhole && certificateBlocks(caBundle).includes(authority.trim()) ? namespaces[entry] : []);
  };
  return { ignore: served('ignore'), fail: served('fail') };
}

/** Returns who else wrote last, by managedFields; for the log. */
export function lastOtherManager(observed: WebhookConfiguration): string | undefined {
  const managed = observed.metadata.managedFields;
  if (!Array.isArray(managed)) return undefined;
  const others = (managed as { manager?: string; time?: string }[]).filter(({ manager }) => manager !== FIELD_MANAGER);
  return others.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''))[0]?.manager;
}

function entryNamed({ webhooks }: WebhookConfiguration, name: string): WebhookEntry | undefined {
  return webhooks?.find((entry) => entry.name === name);
}

function namespacesOf(observed: WebhookConfiguration, entry: Entry): readonly string[] {
  const selector = entryNamed(observed, ENTRY_NAMES[entry])?.namespaceSelector as
    { matchExpressions?: { key?: string; operator?: string; values?: string[] }[] } | undefined;
  const wanted = selector?.matchExpressions?.find(({ key, operator }) => key === NAMESPACE_LABEL && operator === 'In');
  return wanted?.values ?? [];
}

function bundleIn(clientConfig: unknown): string {
  const { caBundle } = (clientConfig ?? {}) as { caBundle?: unknown };
  return typeof caBundle === 'string' ? fromBase64(caBundle) : '';
}
