import { toBase64 } from '../../core/base64.ts';
import { KINDS, namesOf, rowOf } from '../../core/kinds.ts';
import type { Kinds, WorkloadKind } from '../../core/kinds.ts';
import { shortHash } from '../../core/hash.ts';
import { asObject, equal } from '../../core/json.ts';
import type { RawObject } from '../../core/json.ts';
import { mark } from '../../core/marks.ts';
import type { KubernetesObject, ObjectMeta, Resource } from '../../core/object.ts';
import { pathOf, tokenIn, UNGUARDED } from '../paths/path.ts';
import { areDefault, groupsOf } from './groups.ts';
import type { Group, Sent } from './groups.ts';
import { matchConditions, rowsOf, workloadRules } from './workload-rules.ts';

/** The MutatingWebhookConfiguration that the operator owns, as data: what it should be. */

export const CONFIGURATION_NAME = 'vault-injection-operator';
export const CONFIGURATIONS: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
};
export const FIELD_MANAGER = 'vault-injection-operator-webhook';

/** The two sorts of entries of the MutatingWebhookConfiguration for workloads, by failure policy. */
export type Entry = 'ignore' | 'fail';

/** Every sort of entry: `probe` is for the one object that shows whether API servers reach the webhook. */
export type EntryKey = Entry | 'probe';

/**
 * The names of the entries, for workloads of all kinds that a policy is for by default; those for others begin with their
 * kinds (entryNameOf()). The API server also prefixes each audit annotation with them.
 */
export const ENTRY_NAMES = {
  ignore: 'ignore.vaultinjection.dev',
  fail: 'fail.vaultinjection.dev',
  probe: 'probe.vaultinjection.dev',
} as const satisfies Record<EntryKey, string>;

// metadata and entries have names of DNS
const LONGEST_NAME = 253;

/** Returns the name of the entry for these kinds, such as `deployments-statefulsets.fail.vaultinjection.dev`. */
export function entryNameOf(entry: Entry, kinds: readonly WorkloadKind[], table: Kinds = KINDS): string {
  if (areDefault(kinds)) return ENTRY_NAMES[entry];
  // the API server takes names of DNS, and groups with a dot in them may have the same resources
  const labels = kinds.map((kind) => {
    const { group, plural } = rowOf(kind, table).resource;
    return group.includes('.') ? `${plural}-${group.replaceAll('.', '-')}` : plural;
  });
  const name = `${labels.join('-')}.${ENTRY_NAMES[entry]}`;
  return name.length <= LONGEST_NAME ? name : `kinds-${shortHash(labels.join('-'))}.${ENTRY_NAMES[entry]}`;
}

/** Returns which sort of entry the name is that of; undefined: none of the operator's. */
export function entryKeyOf(name: string): EntryKey | undefined {
  if (name === ENTRY_NAMES.probe) return 'probe';
  return WORKLOAD_ENTRIES.find((entry) => name === ENTRY_NAMES[entry] || name.endsWith(`.${ENTRY_NAMES[entry]}`));
}

export const WORKLOAD_ENTRIES: readonly Entry[] = ['ignore', 'fail'];

/** The ConfigMap in the operator's namespace that is created as a dry run, so never stored. */
export const PROBE_NAME = 'vault-injection-operator-probe';

/** How API servers reach the webhook. */
export type WebhookTarget =
  | { readonly service: { readonly name: string; readonly namespace: string; readonly port: number } }
  /** https, without a path, for an operator outside the cluster. */
  | { readonly url: string };

export interface ConfigurationInput {
  readonly target: WebhookTarget;
  /** The operator's own, which names its installation. */
  readonly installation: string;
  /** PEM. */
  readonly caBundle: string;
  /** In the paths; left out: paths without one. */
  readonly token?: string;
  readonly sent: Readonly<Record<Entry, Sent>>;
  /** All kinds that the operator knows; default: those that are built in. */
  readonly table?: Kinds | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** What the configuration is removed with; left out: nothing. */
  readonly owner?: OwnerReference | undefined;
}

/** In metadata.ownerReferences. Nothing waits for the configuration when the owner is deleted in the foreground. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly blockOwnerDeletion?: boolean;
}

export interface WebhookEntry extends RawObject {
  readonly name: string;
}

export interface WebhookConfiguration extends KubernetesObject {
  readonly metadata: ObjectMeta & { readonly ownerReferences?: readonly OwnerReference[] };
  readonly webhooks?: readonly WebhookEntry[];
}

/** The label by which every namespace carries its own name. */
export const NAMESPACE_LABEL = 'kubernetes.io/metadata.name';

// A webhook that is unavailable must not keep the cluster from healing itself.
const SYSTEM_NAMESPACES = ['kube-system', 'kube-public', 'kube-node-lease'];

// Admission takes about a millisecond here; the rest is for opening a connection, with one retry.
const TIMEOUT_SECONDS = 5;

/**
 * Returns the namespaces that are never sent here, whatever policies they have: the cluster's, and the operator's own.
 */
export function excludedNamespaces(target: WebhookTarget): readonly string[] {
  // an operator called by URL runs elsewhere
  return [...new Set([...SYSTEM_NAMESPACES, ...('service' in target ? [target.service.namespace] : [])])].sort();
}

/**
 * Returns the whole object. An entry for workloads exists only while it has namespaces: the API server rejects an empty
 * list in a selector, and an outage of the webhook must only affect those who use it. The entry of the probe is always
 * there. The probe's comes last: people look at the first.
 *
 * Every field of an entry is set, including defaults: server-side apply then reverts whatever another writer sets.
 */
export function buildConfiguration(input: ConfigurationInput): WebhookConfiguration {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: {
      name: CONFIGURATION_NAME,
      labels: input.labels,
      annotations: { [mark.installation]: input.installation },
      ...(input.owner && { ownerReferences: [input.owner] }),
    },
    webhooks: [
      ...WORKLOAD_ENTRIES.flatMap((entry) =>
        groupsOf(input.sent[entry], namesOf(input.table ?? KINDS)).map((group) =>
          buildEntry(entry, { ...input, ...group }),
        ),
      ),
      buildProbeEntry(input),
    ],
  };
}

/** Returns the entry for the workloads of these kinds in these namespaces. */
export function buildEntry(
  entry: Entry,
  {
    target,
    caBundle,
    token,
    kinds,
    namespaces,
    table = KINDS,
    name = entryNameOf(entry, kinds, table),
  }: Pick<ConfigurationInput, 'target' | 'caBundle' | 'token' | 'table'> & Group & { readonly name?: string },
): WebhookEntry {
  const rows = rowsOf(kinds, table);
  return {
    ...commonOf(name, entry, target, caBundle, token),
    rules: workloadRules(rows),
    namespaceSelector: {
      matchExpressions: [
        { key: NAMESPACE_LABEL, operator: 'In', values: namespaces },
        { key: NAMESPACE_LABEL, operator: 'NotIn', values: excludedNamespaces(target) },
      ],
    },
    objectSelector: {},
    matchConditions: matchConditions(rows),
    // a later webhook may add containers or variables
    reinvocationPolicy: 'IfNeeded',
    failurePolicy: entry === 'fail' ? 'Fail' : 'Ignore',
  };
}

/**
 * Returns the entry that matches the probe alone. It fails closed, so that the API server says why it does not reach the
 * webhook; nothing else in the cluster waits for it.
 */
export function buildProbeEntry({
  target,
  caBundle,
  token,
  installation,
}: Pick<ConfigurationInput, 'target' | 'caBundle' | 'token' | 'installation'>): WebhookEntry {
  return {
    ...commonOf(ENTRY_NAMES.probe, 'probe', target, caBundle, token),
    rules: [
      // an update only where somebody has stored an object of that name
      {
        apiGroups: [''],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['configmaps'],
        scope: 'Namespaced',
      },
    ],
    namespaceSelector: { matchExpressions: [{ key: NAMESPACE_LABEL, operator: 'In', values: [installation] }] },
    objectSelector: { matchLabels: { [mark.probe]: 'true' } },
    matchConditions: [{ name: 'is-the-probe', expression: `object.metadata.name == '${PROBE_NAME}'` }],
    reinvocationPolicy: 'Never',
    failurePolicy: 'Fail',
  };
}

function commonOf(
  name: string,
  entry: EntryKey,
  target: WebhookTarget,
  caBundle: string,
  token = UNGUARDED,
): WebhookEntry {
  return {
    name,
    admissionReviewVersions: ['v1'],
    clientConfig: { ...clientConfigOf(target, pathOf(entry, token)), caBundle: toBase64(caBundle) },
    matchPolicy: 'Equivalent',
    sideEffects: 'None',
    timeoutSeconds: TIMEOUT_SECONDS,
  };
}

function clientConfigOf(target: WebhookTarget, path: string): RawObject {
  if ('service' in target) return { service: { ...target.service, path } };
  return { url: target.url.replace(/\/+$/, '') + path };
}

/** Returns the token in the path by which this part of an entry calls the webhook; undefined if it leads elsewhere. */
export function tokenOf(clientConfig: unknown, target: WebhookTarget, entry: EntryKey): string | undefined {
  const { url, service } = asObject(clientConfig) ?? {};
  if ('url' in target) {
    const base = target.url.replace(/\/+$/, '');
    return typeof url === 'string' && url.startsWith(base) ? tokenIn(url.slice(base.length), entry) : undefined;
  }
  const { path, ...place } = asObject(service) ?? {};
  return typeof path === 'string' && equal(place, target.service) ? tokenIn(path, entry) : undefined;
}

/** Whether this part of an entry says at which path it calls; one by URL always does. */
export function hasPath(clientConfig: unknown): boolean {
  const service = asObject(asObject(clientConfig)?.service);
  return service === undefined || service.path !== undefined;
}
