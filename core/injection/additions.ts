/**
 * What others have added to what injection generates: a field that another webhook or a newer API server has set in our
 * init container, volumes, mounts and variable. It stays, so that it does not make a workload outdated and nobody fights
 * about it. A field that we set has our value. Pure.
 */
import { asList, asObject, asString, without, withField } from '../json.ts';
import type { RawObject } from '../json.ts';
import { nameOf } from './pod.ts';

/** What an earlier injection left in a template, with what others have added since. */
export interface Generated {
  readonly installer: RawObject | undefined;
  readonly volumes: readonly RawObject[];
  /** By container name. */
  readonly containers: ReadonlyMap<string, GeneratedInContainer>;
}

export interface GeneratedInContainer {
  readonly mounts: readonly RawObject[];
  readonly variable: RawObject | undefined;
  readonly startupProbe: RawObject | undefined;
}

export const NOTHING_GENERATED: Generated = { installer: undefined, volumes: [], containers: new Map() };

/**
 * Returns a generated volume, mount or variable with what was added to the one of the same name and mount path in the
 * template. What has fields of its own there is no addition, but other content.
 */
export function withAdditions(generated: RawObject, live: readonly RawObject[]): RawObject {
  const same = live.find((item) => item.name === generated.name && item.mountPath === generated.mountPath);
  if (same === undefined) return generated;
  const contents = Object.keys(same).filter((key) => !Object.hasOwn(generated, key) && asObject(same[key]));
  return merged(generated, without(same, ...contents));
}

/**
 * The same for the init container. Users and groups follow the policy and the pod, also to nothing; a mount stays only
 * with its volume.
 *
 * @param hasOwnResources false: requests and limits follow the pod in the same way
 */
export function installerWithAdditions(
  generated: RawObject,
  live: RawObject | undefined,
  hasOwnResources: boolean,
  isVolume: (name: string) => boolean,
): RawObject {
  if (live === undefined || nameOf(live) !== nameOf(generated)) return generated;
  const securityContext = asObject(live.securityContext);
  const unowned = securityContext && without(securityContext, 'runAsUser', 'runAsGroup');
  const mounts = asList(live.volumeMounts)?.filter((mount) => isVolume(nameOf(mount) ?? ''));
  const resources = asObject(live.resources);
  const others = hasOwnResources || resources === undefined ? resources : without(resources, 'requests', 'limits');
  const kept = withField(withField(live, 'securityContext', unowned), 'volumeMounts', mounts);
  return merged(generated, withField(kept, 'resources', others));
}

/** Whether a field of a volume is the content that a user has given it: what has no fields of its own is none. */
export function isOtherSource(volume: RawObject, key: string, source: string): boolean {
  return key !== 'name' && key !== source && asObject(volume[key]) !== undefined;
}

function merged(generated: RawObject, live: RawObject): RawObject {
  const ours = Object.entries(generated).map(([key, value]) => [key, mergedValue(value, live[key])] as const);
  return { ...live, ...(Object.fromEntries(ours) as RawObject) };
}

function mergedValue(generated: unknown, live: unknown): unknown {
  const object = asObject(generated);
  const liveObject = asObject(live);
  if (object !== undefined && liveObject !== undefined) return merged(object, liveObject);
  const list = objectsOf(generated);
  const liveList = objectsOf(live);
  if (list === undefined || liveList === undefined) return generated;
  if (list.some(({ mountPath }) => mountPath !== undefined)) return mergedMounts(list, liveList);
  return list.length === liveList.length ? list.map((item, index) => merged(item, liveList[index] ?? {})) : generated;
}

/** In the order of the template, if it has all of ours. */
function mergedMounts(ours: readonly RawObject[], live: readonly RawObject[]): readonly RawObject[] {
  const paths = new Map(ours.map((mount) => [asString(mount.mountPath), mount]));
  const found = live.map((mount) => {
    const own = paths.get(asString(mount.mountPath));
    paths.delete(asString(mount.mountPath));
    return own === undefined ? mount : merged(own, mount);
  });
  return [...paths.values(), ...found];
}

/** Returns a list of objects only; undefined if it is anything else. */
function objectsOf(value: unknown): readonly RawObject[] | undefined {
  const objects = (asList(value) ?? []).map(asObject).filter((item) => item !== undefined);
  return objects.length === asList(value)?.length ? objects : undefined;
}
