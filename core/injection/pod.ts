/** The parts of a raw pod template that injection reads and changes. */
import { asList, asObject, asString, withField } from '../json.ts';
import type { RawObject } from '../json.ts';

export type ContainerList = 'initContainers' | 'containers';
/** In the order in which the kubelet starts them. */
export const CONTAINER_LISTS: readonly ContainerList[] = ['initContainers', 'containers'];

export function podSpecOf(template: RawObject): RawObject | undefined {
  return asObject(template.spec);
}

export function annotationsOf(holder: RawObject | undefined): RawObject | undefined {
  return asObject(asObject(holder?.metadata)?.annotations);
}

export function labelsOf(holder: RawObject | undefined): RawObject | undefined {
  return asObject(asObject(holder?.metadata)?.labels);
}

/** Returns the template with these annotations, or without any; adds `metadata` if there is none. */
export function withAnnotations(template: RawObject, annotations: RawObject | undefined): RawObject {
  return withMetadata(template, 'annotations', annotations);
}

/** The same for labels. */
export function withLabels(template: RawObject, labels: RawObject | undefined): RawObject {
  return withMetadata(template, 'labels', labels);
}

function withMetadata(template: RawObject, field: 'annotations' | 'labels', entries: RawObject | undefined): RawObject {
  const metadata = asObject(template.metadata) ?? {};
  const changed = withField(metadata, field, entries);
  return changed === metadata ? template : { ...template, metadata: changed };
}

/** Returns all containers of a pod that are objects, init containers first; ephemeral ones are ignored. */
export function containersOf(podSpec: RawObject): readonly RawObject[] {
  const containers: RawObject[] = [];
  for (const list of CONTAINER_LISTS) {
    for (const item of asList(podSpec[list]) ?? []) {
      const container = asObject(item);
      if (container !== undefined) containers.push(container);
    }
  }
  return containers;
}

export function nameOf(item: unknown): string | undefined {
  return asString(asObject(item)?.name);
}

/** Returns the ServiceAccount that the API server's admission will assign to the pod. */
export function serviceAccountOf(podSpec: RawObject): string {
  const names = [podSpec.serviceAccountName, podSpec.serviceAccount].map(asString);
  return names.find((name) => name !== undefined && name !== '') ?? 'default';
}

export interface Mount {
  readonly volume: string;
  readonly path: string;
  readonly mount: RawObject;
}

export function mountsOf(container: RawObject): readonly Mount[] {
  const mounts: Mount[] = [];
  for (const item of asList(container.volumeMounts) ?? []) {
    const mount = asObject(item);
    const volume = nameOf(mount);
    const path = asString(mount?.mountPath);
    if (mount !== undefined && volume !== undefined && path !== undefined) mounts.push({ volume, path, mount });
  }
  return mounts;
}

/** Where a container can hold a command that the kubelet executes in it. */
export const EXEC_FIELDS: readonly { readonly name: string; readonly path: readonly string[] }[] = [
  { name: 'livenessProbe', path: ['livenessProbe', 'exec', 'command'] },
  { name: 'readinessProbe', path: ['readinessProbe', 'exec', 'command'] },
  { name: 'startupProbe', path: ['startupProbe', 'exec', 'command'] },
  { name: 'postStart', path: ['lifecycle', 'postStart', 'exec', 'command'] },
  { name: 'preStop', path: ['lifecycle', 'preStop', 'exec', 'command'] },
];

/**
 * Returns the container with each of its exec commands replaced by what `change` returns for it (undefined: leave it).
 * Everything unchanged is shared with the original.
 */
export function mapExecCommands(
  container: RawObject,
  change: (name: string, command: readonly string[]) => readonly string[] | undefined,
): RawObject {
  let result = container;
  for (const { name, path } of EXEC_FIELDS) result = mapAt(result, path, (command) => change(name, command));
  return result;
}

function mapAt(
  object: RawObject,
  [key = '', ...rest]: readonly string[],
  change: (command: readonly string[]) => readonly string[] | undefined,
): RawObject {
  const value = object[key];
  if (rest.length > 0) {
    const child = asObject(value);
    return child === undefined ? object : withField(object, key, mapAt(child, rest, change));
  }
  const list = asList(value);
  if (list === undefined || list.length === 0 || !list.every((item) => typeof item === 'string')) return object;
  const changed = change(list);
  return changed === undefined ? object : withField(object, key, changed);
}
