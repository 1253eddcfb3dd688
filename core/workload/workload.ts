/** What the inventory keeps of a workload: what decisions need, and nothing else. Pure. */
import { asList, asObject, asString, without } from '../json.ts';
import type { RawObject } from '../json.ts';
import { ANNOTATION_PREFIX } from '../injection/annotations.ts';
import { KINDS, kindOfObject, objectWith, rolloutStateOf, templateOf } from '../kinds.ts';
import type { RolloutState, WorkloadKind } from '../kinds.ts';
import { keyOf, partsOfKey } from '../object.ts';
import type { KubernetesObject, ObjectMeta } from '../object.ts';
import { compareText } from '../order.ts';

/** Who has written to an object, according to managedFields. */
export interface Writer {
  readonly manager: string;
  readonly operation: string;
  /** RFC 3339. */
  readonly time: string;
  /** It owns fields of the pod template. */
  readonly template: boolean;
}

export interface Workload extends KubernetesObject {
  readonly kind: WorkloadKind;
  /** name, namespace, uid, resourceVersion and generation alone. */
  readonly metadata: ObjectMeta & { readonly namespace: string; readonly uid: string };
  /**
   * JSON of the parts of the object that mutateWorkload reads. Kept as text, a third of the size of the parsed object,
   * because it is read only when a rule or the object changes.
   */
  readonly text: string;
  /** Of the workload itself, those with our prefix. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly rollout: RolloutState;
  /** Newest first. */
  readonly writers: readonly Writer[];
  /**
   * When somebody other than the operator last wrote the pod template, at the latest, in milliseconds since the epoch
   * and whole seconds: API servers keep one time for all fields of a field manager. 0: unknown.
   */
  readonly writtenAt: number;
}

/** Field manager of the operator's requests; what it writes counts as nobody's edit. */
export const REQUEST_FIELD_MANAGER = 'vault-injection-operator-requests';

// A workload normally has a handful of writers; without clean-up it can have hundreds.
const MAX_WRITERS = 8;
// Fields of a pod's spec that no decision reads and that can be long.
const UNUSED = ['affinity', 'tolerations', 'topologySpreadConstraints', 'nodeSelector', 'hostAliases', 'dnsConfig'];
// The same for a container.
const UNUSED_IN_CONTAINER = [
  'ports',
  'resources',
  'securityContext',
  'imagePullPolicy',
  'terminationMessagePath',
  'terminationMessagePolicy',
];
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];

/** Reduces an object of a kind of the table, as a list or watch returned it, to what is kept. */
export function workloadOf(object: KubernetesObject): Workload {
  const { apiVersion, metadata } = object;
  const kind = kindOfObject(object);
  const { name, namespace = '', uid = '', resourceVersion, generation } = metadata;
  const annotations = ours(metadata.annotations);
  const writers = writersOf(kind, metadata.managedFields);
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, ...(resourceVersion && { resourceVersion }), ...(generation && { generation }) },
    text: JSON.stringify({ metadata: { name, labels: metadata.labels, annotations }, spec: specOf(kind, object) }),
    annotations,
    rollout: rolloutStateOf(kind, object),
    writers: writers.slice(0, MAX_WRITERS),
    writtenAt: writtenAt(metadata, writers),
  };
}

/** Whether it is somebody other than the operator who writes the pod template. */
export function isOther({ manager, template }: Writer): boolean {
  return template && manager !== REQUEST_FIELD_MANAGER;
}

function writtenAt({ creationTimestamp }: ObjectMeta, writers: readonly Writer[]): number {
  const times = [creationTimestamp ?? '', ...writers.filter(isOther).map(({ time }) => time)].map(Date.parse);
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}

/** `Deployment/namespace/name`: two kinds may share a name. */
export function workloadKey(workload: {
  readonly kind: WorkloadKind;
  readonly metadata: { readonly namespace: string; readonly name: string };
}): string {
  return `${workload.kind}/${keyOf(workload.metadata)}`;
}

/** The inverse of workloadKey(). */
export function partsOfWorkloadKey(key: string): {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
} {
  const slash = key.indexOf('/');
  return { kind: key.slice(0, slash), ...partsOfKey(key.slice(slash + 1)) };
}

function ours(annotations: ObjectMeta['annotations']): Readonly<Record<string, string>> {
  const entries = Object.entries(annotations ?? {}).filter(([key]) => key.startsWith(ANNOTATION_PREFIX));
  return Object.fromEntries(entries);
}

function specOf(kind: WorkloadKind, object: KubernetesObject): object {
  const template = templateOf(kind, object);
  const podSpec = asObject(template?.spec);
  const slim = podSpec === undefined ? template : { ...template, spec: podSpecOf(podSpec) };
  const claims = asList(asObject(object.spec)?.volumeClaimTemplates)?.map((claim) => ({
    metadata: { name: asObject(asObject(claim)?.metadata)?.name },
  }));
  return {
    ...asObject(objectWith(kind, slim).spec),
    ...(claims && { volumeClaimTemplates: claims }),
  };
}

function podSpecOf(podSpec: RawObject): RawObject {
  // initContainers stay as they are: one of them is ours, and each of its fields may be outdated
  const containers = asList(podSpec.containers);
  const slim = without(podSpec, ...UNUSED);
  return containers === undefined ? slim : { ...slim, containers: containers.map(slimContainer) };
}

function slimContainer(item: unknown): unknown {
  const container = asObject(item);
  if (container === undefined) return item;
  // one that runs a program may be wrapped
  const probes = PROBES.filter((probe) => asObject(asObject(container[probe])?.exec) === undefined);
  return without(container, ...UNUSED_IN_CONTAINER, ...probes);
}

function writersOf(kind: WorkloadKind, managedFields: unknown): readonly Writer[] {
  const writers = (asList(managedFields) ?? []).map(asObject).filter((entry) => entry !== undefined);
  return writers
    .filter(({ subresource }) => subresource === undefined || subresource === '')
    .map((entry) => ({
      manager: asString(entry.manager) ?? '',
      operation: asString(entry.operation) ?? '',
      time: asString(entry.time) ?? '',
      template: ownsTemplate(kind, asObject(entry.fieldsV1)),
    }))
    .sort((a, b) => compareText(b.time, a.time));
}

function ownsTemplate(kind: WorkloadKind, fields: RawObject | undefined): boolean {
  return KINDS[kind].template.reduce((at: unknown, field) => asObject(at)?.[`f:${field}`], fields) !== undefined;
}
