/**
 * Restore: returns the pod template that the user means. Field by field: if the live value is still what injection
 * generated, the recorded original; else the live value, which came from an apply, an edit or a patch. Everything that
 * injection added is removed. restore.test.ts shows what merges leave behind and what edits of the record do.
 */
import { asList, asObject, withField, without, keepWhere } from '../json.ts';
import type { RawObject } from '../json.ts';
import { isOtherSource, NOTHING_GENERATED } from './additions.ts';
import type { Generated, GeneratedInContainer } from './additions.ts';
import { INJECTED_ANNOTATIONS } from './annotations.ts';
import { CONFIG_VARIABLE } from './names.ts';
import {
  annotationsOf,
  CONTAINER_LISTS,
  containersOf,
  mapExecCommands,
  mountsOf,
  nameOf,
  podSpecOf,
  withAnnotations,
} from './pod.ts';
import { shortHash } from '../hash.ts';
import { entryFinder, executableIn } from './record.ts';
import { withoutPolicyLabel } from './policy-label.ts';
import type { ImageWords } from './program.ts';
import type { RecordedContainer } from './record.ts';
import { executablesOf, findTraces, hasConfigVariable, isInstaller, isOurMount, ourSourceOf } from './traces.ts';
import { withoutStartupProbe } from './startup-probe.ts';
import type { Traces } from './traces.ts';
import { unwrap } from './unwrap.ts';

export interface Restored {
  /** The same object if there was nothing to restore. */
  readonly template: RawObject;
  /** What was removed that is not in the record. */
  readonly generated: Generated;
  /** Names of containers that held something of ours. */
  readonly wrapped: ReadonlySet<string>;
  /** Names of containers whose original could not be determined for certain. */
  readonly uncertain: readonly string[];
  /** By container name: what its image starts, as a registry answered when the container was injected. */
  readonly images: ReadonlyMap<string, ImageWords>;
}

const NO_IMAGES: Restored['images'] = new Map();
const NO_NAMES: Restored['wrapped'] = new Set();

/**
 * Never throws: whatever is not understood in a malformed template stays as it is.
 *
 * @param keepsLabel whether a label of the policy label's key must stay, because the workload's own selector names it
 */
export function restore(template: RawObject, keepsLabel = false): Restored {
  const podSpec = podSpecOf(template);
  const traces = podSpec && findTraces(template, podSpec);
  if (podSpec === undefined || traces === undefined)
    return { template, wrapped: NO_NAMES, uncertain: [], images: NO_IMAGES, generated: NOTHING_GENERATED };
  const uncertain: string[] = [];
  const wrapped = new Set<string>();
  const images = new Map<string, ImageWords>();
  const containers = new Map<string, GeneratedInContainer>();
  const entryOf = entryFinder(traces.record);
  const restored = (item: unknown): unknown => {
    const container = asObject(item);
    if (container === undefined) return item;
    const name = nameOf(container) ?? '';
    const entry = entryOf(name, container.args);
    if (entry?.original.image?.of !== undefined) images.set(name, entry.original.image);
    const original = restoreContainer(container, entry, traces, uncertain);
    if (original !== container) {
      wrapped.add(name);
      containers.set(name, generatedIn(container, original));
    }
    return original;
  };
  let spec = podSpec;
  let installer: RawObject | undefined;
  for (const list of CONTAINER_LISTS) {
    const listed = asList(spec[list]);
    if (listed === undefined) continue;
    installer ??= asObject(listed.find((container) => isInstaller(container, traces)));
    const kept = keepWhere(listed, (container) => !isInstaller(container, traces));
    spec = withField(spec, list, kept?.map(restored));
  }
  const volumes = restoreVolumes(spec, traces);
  const left = new Set(volumes);
  const removed = (asList(spec.volumes) ?? []).filter((volume) => !left.has(volume));
  spec = withField(spec, 'volumes', volumes);
  const isOwnLabel = keepsLabel || (traces.record?.ownLabel ?? false);
  return {
    template: withField(restoreAnnotations(isOwnLabel ? template : withoutPolicyLabel(template)), 'spec', spec),
    wrapped,
    uncertain,
    images,
    generated: { installer, volumes: removed.map(asObject).filter((volume) => volume !== undefined), containers },
  };
}

/** Returns what restoring removed from a container, apart from its command and args. */
function generatedIn(container: RawObject, original: RawObject): GeneratedInContainer {
  const removed = (field: string): readonly RawObject[] => {
    const left = new Set(asList(original[field]));
    const gone = (asList(container[field]) ?? []).filter((item) => !left.has(item));
    return gone.map(asObject).filter((item) => item !== undefined);
  };
  const startupProbe = original.startupProbe === undefined ? asObject(container.startupProbe) : undefined;
  return { mounts: removed('volumeMounts'), variable: removed('env')[0], startupProbe };
}

function restoreAnnotations(template: RawObject): RawObject {
  const annotations = annotationsOf(template);
  if (annotations === undefined) return template;
  const kept = without(annotations, ...INJECTED_ANNOTATIONS);
  return kept === annotations ? template : withAnnotations(template, Object.keys(kept).length > 0 ? kept : undefined);
}

/**
 * Removes our volumes, unless something that stays still mounts them: then a user relies on them. If an apply has
 * merged a user's volume of the same name into ours, only our content is removed.
 */
function restoreVolumes(spec: RawObject, traces: Traces): readonly unknown[] | undefined {
  const inUse = new Set(containersOf(spec).flatMap((container) => mountsOf(container).map(({ volume }) => volume)));
  const volumes = asList(spec.volumes)?.map((item) => {
    const volume = asObject(item);
    const source = volume && ourSourceOf(volume);
    if (volume === undefined || source === undefined || !traces.volumes.has(nameOf(volume) ?? '')) return item;
    if (Object.keys(volume).some((key) => isOtherSource(volume, key, source))) return without(volume, source);
    return inUse.has(nameOf(volume) ?? '') ? item : undefined;
  });
  return keepWhere(volumes, (item) => item !== undefined);
}

function restoreContainer(
  container: RawObject,
  entry: RecordedContainer | undefined,
  traces: Traces,
  uncertain: string[],
): RawObject {
  const ours = mountsOf(container).filter((mount) => isOurMount(mount, traces));
  const executables = new Set(executablesOf(container, traces));
  if (entry) executables.add(executableIn(entry.mountPath));
  if (ours.length === 0 && entry === undefined && executables.size === 0) return container;

  const { command, args, trusted, isUncertain } = unwrap(container, entry, executables);
  if (isUncertain) uncertain.push(nameOf(container) ?? '');
  let result = withField(withField(container, 'command', command), 'args', args);
  const mounts = new Set(ours.map(({ mount }) => mount));
  result = withField(
    result,
    'volumeMounts',
    keepWhere(asList(container.volumeMounts), (mount) => !mounts.has(mount as RawObject)),
  );
  if (hasConfigVariable(container)) result = withField(result, 'env', restoreEnv(container, trusted));
  result = withoutStartupProbe(result, executables, trusted?.startupProbe);
  return mapExecCommands(result, (name, exec) => {
    const isOurs = executables.has(exec[0] ?? '') && exec[1] === '--' && exec.length > 2;
    return isOurs && (trusted === undefined || trusted.exec.includes(name)) ? exec.slice(2) : undefined;
  });
}

/** Removes VAULT_ENV_CONFIG, unless its value is not the recorded one: then the user has set it. */
function restoreEnv(container: RawObject, trusted: RecordedContainer | undefined): readonly unknown[] | undefined {
  return keepWhere(asList(container.env), (variable) => {
    if (nameOf(variable) !== CONFIG_VARIABLE) return true;
    const value = asObject(variable)?.value;
    return trusted !== undefined && (typeof value !== 'string' || shortHash(value) !== trusted.config);
  });
}
