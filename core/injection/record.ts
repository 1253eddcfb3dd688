/**
 * The record: what was there before injection, kept in an annotation of the pod template, so that it moves with the
 * template through applies, undos and copies. Users can edit it, so it is not trusted: an entry counts only if the
 * recorded original, wrapped again, has the hash that was recorded with it.
 */
import { shortHash } from '../hash.ts';
import { asList, asObject, asString, parseJson } from '../json.ts';
import { END_OF_OPTIONS, EXECUTABLE, freeName, purposeOfMountPath } from './names.ts';
import { wrap } from './program.ts';
import type { Original, Wrapped } from './program.ts';

export interface RecordedContainer {
  /** Unique among the containers and init containers of a pod. */
  readonly name: string;
  readonly original: Original;
  /** Mount path of the executable. */
  readonly mountPath: string;
  /** Probes and hooks that were wrapped: the original follows the wrapper, so it is not repeated here. */
  readonly exec: readonly string[];
  /** Hash of the generated VAULT_ENV_CONFIG value. */
  readonly config: string;
  /** failureThreshold of the startup probe that was added; undefined if none was. */
  readonly startupProbe?: number;
}

export interface InjectionRecord {
  /** Names of the volumes that were added. */
  readonly volumes: readonly string[];
  /** The template had a label of the policy label's key before, which is the user's; undefined if it had none. */
  readonly ownLabel?: true;
  readonly containers: readonly RecordedContainer[];
}

/**
 * TotalAnnotationSizeLimitB of k8s.io/apimachinery/pkg/api/validation: total bytes of the keys and values of one
 * object.
 */
export const ANNOTATIONS_LIMIT = 262_144;

const VERSION = 1;
const DEFAULT_MOUNT_PATH = `/${freeName('executable', () => false)}`;

export function executableIn(mountPath: string): string {
  return `${mountPath}/${EXECUTABLE}`;
}

/** Returns the record as annotation text: equal content yields equal text, since each change would roll the pods. */
export function encodeRecord(record: InjectionRecord): string {
  // JSON.stringify leaves out what is undefined
  const containers = record.containers.map(({ name, original, mountPath, exec, config, startupProbe }) => ({
    name,
    command: original.command ?? null,
    args: original.args ?? null,
    entrypoint: original.image?.entrypoint,
    cmd: original.image?.cmd,
    image: original.image?.of,
    mountPath: mountPath === DEFAULT_MOUNT_PATH ? undefined : mountPath,
    exec: exec.length === 0 ? undefined : exec,
    generated: generatedHash(original, mountPath),
    config,
    startupProbe,
  }));
  return JSON.stringify({ v: VERSION, volumes: record.volumes, ownLabel: record.ownLabel, containers });
}

/**
 * Reads a record without any parts that are damaged, forged or of an unknown version. Returns undefined if nothing is
 * left.
 */
export function decodeRecord(text: unknown): InjectionRecord | undefined {
  // A longer annotation cannot have been stored, so no injection has written it.
  if (typeof text !== 'string' || text.length > ANNOTATIONS_LIMIT) return undefined;
  const record = asObject(parseJson(text));
  if (record?.v !== VERSION) return undefined;
  const names = asList(record.volumes) ?? [];
  const containers = (asList(record.containers) ?? []).map(decodeContainer);
  return {
    volumes: names.filter((name) => typeof name === 'string'),
    ...(record.ownLabel === true && { ownLabel: true }),
    containers: containers.filter((container) => container !== undefined),
  };
}

/** Returns what injection made of a recorded container; never undefined for one from decodeRecord. */
export function generatedFor(container: Pick<RecordedContainer, 'original' | 'mountPath'>): Wrapped | undefined {
  return wrap(container.original, executableIn(container.mountPath));
}

/**
 * Finds a container's entry by its name; for one that was renamed or copied in place (`kubectl edit`), the entry that
 * generated exactly its args. Both are map look-ups, so that a hostile template with thousands of containers stays
 * cheap.
 */
export function entryFinder(
  record: InjectionRecord | undefined,
): (name: string, args: unknown) => RecordedContainer | undefined {
  const byName = new Map(record?.containers.map((entry) => [entry.name, entry]));
  let byArgs: Map<string, RecordedContainer> | undefined;
  return (name, args) => {
    const named = byName.get(name);
    if (named !== undefined || byName.size === 0 || asList(args)?.[0] !== END_OF_OPTIONS) return named;
    byArgs ??= new Map([...byName.values()].map((entry) => [JSON.stringify(generatedFor(entry)?.args), entry]));
    return byArgs.get(JSON.stringify(args));
  };
}

function decodeContainer(value: unknown): RecordedContainer | undefined {
  const entry = asObject(value);
  const name = asString(entry?.name);
  const command = strings(entry?.command);
  const args = strings(entry?.args);
  const entrypoint = strings(entry?.entrypoint);
  const cmd = strings(entry?.cmd);
  const image = asString(entry?.image);
  const mountPath = entry?.mountPath ?? DEFAULT_MOUNT_PATH;
  if (name === undefined || command === 'bad' || args === 'bad' || entrypoint === 'bad' || cmd === 'bad')
    return undefined;
  if (typeof mountPath !== 'string' || purposeOfMountPath(mountPath) !== 'executable') return undefined;
  const words = { entrypoint: entrypoint ?? [], cmd: cmd ?? [], ...(image !== undefined && { of: image }) };
  const hasWords = entrypoint !== undefined || cmd !== undefined;
  const original: Original = { command, args, ...(hasWords && { image: words }) };
  const generated = generatedHash(original, mountPath);
  if (generated === undefined || entry?.generated !== generated) return undefined;
  const exec = (asList(entry.exec) ?? []).filter((field) => typeof field === 'string');
  const { startupProbe } = entry;
  const probe = typeof startupProbe === 'number' ? { startupProbe } : {};
  return { name, original, mountPath, exec, config: asString(entry.config) ?? '', ...probe };
}

function generatedHash(original: Original, mountPath: string): string | undefined {
  const generated = generatedFor({ original, mountPath });
  return generated && shortHash(JSON.stringify([generated.command, generated.args]));
}

function strings(value: unknown): readonly string[] | undefined | 'bad' {
  if (value === undefined || value === null) return undefined;
  const list = asList(value);
  return list?.every((item) => typeof item === 'string') === true ? list : 'bad';
}
