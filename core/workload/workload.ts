/** What the inventory keeps of a workload: all that decisions need, and nothing else. Pure. */
import { asList, asObject, asString, without } from '../json.ts';
import type { RawObject } from '../json.ts';
import { ANNOTATION_PREFIX } from '../injection/annotations.ts';
import { KINDS, kindOfObject, objectWith, rolloutStateOf, templateOf } from '../kinds.ts';
import type { RolloutState, WorkloadKind } from '../kinds.ts';
import { keyOf, partsOfKey } from '../object.ts';
import type { KubernetesObject, ObjectMeta } from '../object.ts';
import { compareText } from '../order.ts';

/** Who has written to an object, as managedFields tells it. */
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
   * JSON of the object as far as mutateWorkload looks into it. As text, because it is looked into when a rule or the
   * object changes and lies in memory the rest of the time: a third of what the parsed object takes.
   */
  readonly text: string;
  /** Of the workload itself, those with our prefix. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly rollout: RolloutState;
  /** Newest first. */
  readonly writers: readonly Writer[];
}

// A workload has been written to by a handful of programs; one that nobody cleans up after can have hundreds.
const MAX_WRITERS = 8;
// Fields of a pod's spec that no decision looks at and that can be long.
const UNUSED = ['affinity', 'tolerations', 'topologySpreadConstraints', 'nodeSelector', 'hostAliases', 'dnsConfig'];
// The same of a container.
const UNUSED_IN_CONTAINER = [
  'ports',
  'resources',
  'securityContext',
  'imagePullPolicy',
  'terminationMessagePath',
  'terminationMessagePolicy',
];
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];

/** Slims an object of a kind of the table, as a list or a watch brought it. */
export function workloadOf(object: KubernetesObject): Workload {
  const { apiVersion, metadata } = object;
  const kind = kindOfObject(object);
  const { name, namespace = '', uid = '', resourceVersion, generation } = metadata;
  const annotations = ours(metadata.annotations);
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, ...(resourceVersion && { resourceVersion }), ...(generation && { generation }) },
    text: JSON.stringify({ metadata: { name, labels: metadata.labels, annotations }, spec: specOf(kind, object) }),
    annotations,
    rollout: rolloutStateOf(kind, object),
    writers: writersOf(kind, metadata.managedFields),
  };
}

/** `Deployment/namespace/name`: two kinds may share a name. */
export function workloadKey(workload: {
  readonly kind: WorkloadKind;
  readonly metadata: { readonly namespace: string; readonly name: string };
}): string {
  return `${workload.kind}/${keyOf(workload.metadata)}`;
}

/** What workloadKey() made a key of. */
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
    .sort((a, b) => compareText(b.time, a.time))
    .slice(0, MAX_WRITERS);
}

function ownsTemplate(kind: WorkloadKind, fields: RawObject | undefined): boolean {
  return KINDS[kind].template.reduce((at: unknown, field) => asObject(at)?.[`f:${field}`], fields) !== undefined;
}
