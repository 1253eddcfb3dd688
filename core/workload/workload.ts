/**
 * What the inventory keeps of a workload: what decisions need besides its standing. Its template, which may be long, is
 * judged when it arrives and not kept (ADR 17). Pure.
 */
import { asList, asObject, asString } from '../json.ts';
import type { RawObject } from '../json.ts';
import { ANNOTATION_PREFIX, annotationRow } from '../injection/annotations.ts';
import { kindOfObject, KINDS, makerOf, rolloutStateOf, rowOf } from '../kinds.ts';
import type { Kind, Kinds, Maker, RolloutState, WorkloadKind } from '../kinds.ts';
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
  /** As policies name it. */
  readonly kind: WorkloadKind;
  /** Its row of the table of kinds. */
  readonly traits: Kind;
  /** What has made it from a template of its own (makerOf()); left out if nothing has. */
  readonly maker?: Maker;
  /** name, namespace, uid, resourceVersion and generation alone. */
  readonly metadata: ObjectMeta & { readonly namespace: string; readonly uid: string };
  /** Of the workload itself, those that we know. */
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

/** Reduces an object of a kind of the table, as a list or watch returned it, to what is kept. */
export function workloadOf(object: KubernetesObject, kinds: Kinds = KINDS): Workload {
  const { apiVersion, metadata } = object;
  const kind = kindOfObject(object, kinds);
  const traits = rowOf(kind, kinds);
  const maker = makerOf(kind, object, kinds);
  const { name, namespace = '', uid = '', resourceVersion, generation } = metadata;
  const writers = writersOf(traits, metadata.managedFields);
  return {
    apiVersion,
    kind,
    traits,
    ...(maker !== undefined && { maker }),
    metadata: { name, namespace, uid, ...(resourceVersion && { resourceVersion }), ...(generation && { generation }) },
    annotations: ours(metadata.annotations),
    rollout: rolloutStateOf(kind, object, kinds),
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
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
} {
  const slash = key.indexOf('/');
  return { kind: key.slice(0, slash), ...partsOfKey(key.slice(slash + 1)) };
}

/** Others with our prefix are only warned about, and may be long and many. */
function ours(annotations: ObjectMeta['annotations']): Readonly<Record<string, string>> {
  const entries = Object.entries(annotations ?? {}).filter(
    ([key]) => key.startsWith(ANNOTATION_PREFIX) && annotationRow(key.slice(ANNOTATION_PREFIX.length)) !== undefined,
  );
  return Object.fromEntries(entries);
}

function writersOf({ template }: Kind, managedFields: unknown): readonly Writer[] {
  const writers = (asList(managedFields) ?? []).map(asObject).filter((entry) => entry !== undefined);
  return writers
    .filter(({ subresource }) => subresource === undefined || subresource === '')
    .map((entry) => ({
      manager: asString(entry.manager) ?? '',
      operation: asString(entry.operation) ?? '',
      time: asString(entry.time) ?? '',
      template: ownsTemplate(template, asObject(entry.fieldsV1)),
    }))
    .sort((a, b) => compareText(b.time, a.time));
}

function ownsTemplate(template: Kind['template'], fields: RawObject | undefined): boolean {
  return template.reduce((at: unknown, field) => asObject(at)?.[`f:${field}`], fields) !== undefined;
}
