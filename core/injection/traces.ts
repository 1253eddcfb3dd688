/**
 * Traces of injection in a pod template: which volumes, mounts, init container and variables are ours. The record names
 * what was added; if it is missing, damaged or about something else, the structure decides.
 */
import { asList, asObject, asString } from '../json.ts';
import type { RawObject } from '../json.ts';
import { areSecretItems, TOKEN_FILE } from './login.ts';
import { isOtherSource } from './additions.ts';
import { annotation } from './annotations.ts';
import {
  CONFIG_VARIABLE,
  END_OF_OPTIONS,
  EXECUTABLE,
  EXECUTABLE_IN_IMAGE,
  INSTALL_FLAG,
  purposeOf,
  purposeOfMountPath,
} from './names.ts';
import { annotationsOf, containersOf, mountsOf, nameOf } from './pod.ts';
import type { Mount } from './pod.ts';
import { decodeRecord, executableIn } from './record.ts';
import type { InjectionRecord } from './record.ts';

export interface Traces {
  readonly record: InjectionRecord | undefined;
  /** Names of volumes that injection added. */
  readonly volumes: ReadonlySet<string>;
  /** Names of volumes with content of a user, who may have taken one of our names since. */
  readonly foreign: ReadonlySet<string>;
}

/** Returns undefined for a template that was never injected: the common case, so a few look-ups decide it. */
export function findTraces(template: RawObject, podSpec: RawObject): Traces | undefined {
  const annotations = annotationsOf(template);
  const record = decodeRecord(annotations?.[annotation.original]);
  const isMarked = annotations?.[annotation.original] !== undefined || annotations?.[annotation.injected] !== undefined;
  if (!isMarked && !isSuspect(podSpec)) return undefined;
  const recorded = record?.volumes ?? [];
  const named = volumesByContent(podSpec);
  const evident = evidentVolumes(podSpec, named);
  // A record that knows every executable in use is complete: then a user's own `vault-env-ca` is not taken for ours.
  const isComplete = record !== undefined && evident.executables.every((name) => recorded.includes(name));
  const volumes = new Set(isComplete ? recorded : [...recorded, ...evident.all]);
  return isMarked || volumes.size > 0 || hasWrappedCommand(podSpec)
    ? { record, volumes, foreign: named.foreign }
    : undefined;
}

/**
 * Whether it is a read-only mount of one of our volumes at one of our paths. If a user has since changed the content of
 * the volume, the mount may be the user's too, and stays.
 */
export function isOurMount(mount: Mount, { volumes, foreign }: Traces): boolean {
  return volumes.has(mount.volume) && !foreign.has(mount.volume) && looksLikeOurMount(mount);
}

/** Whether it is an init container that installs vault-env into one of our volumes. */
export function isInstaller(container: unknown, { volumes }: Traces): boolean {
  const object = asObject(container);
  return (
    object !== undefined && looksLikeInstaller(object) && mountsOf(object).some(({ volume }) => volumes.has(volume))
  );
}

/**
 * Returns the field with a volume's content, if name and content are as we generate them. A user's own volume of such a
 * name has other content; one that an apply has merged into ours has both.
 */
export function ourSourceOf(volume: RawObject): string | undefined {
  switch (purposeOf(nameOf(volume) ?? '')) {
    case 'executable':
      if (asObject(volume.emptyDir)?.medium === 'Memory') return 'emptyDir';
      return asObject(volume.image) === undefined ? undefined : 'image';
    case 'token': {
      const sources = asList(asObject(volume.projected)?.sources) ?? [];
      const token = asObject(asObject(sources[0])?.serviceAccountToken);
      return sources.length === 1 && token?.path === TOKEN_FILE ? 'projected' : undefined;
    }
    case 'ca':
      return ['configMap', 'secret'].find((source) => asList(asObject(volume[source])?.items)?.length === 1);
    case 'credentials':
      return areSecretItems(asObject(volume.secret)?.items) ? 'secret' : undefined;
    case undefined:
      return undefined;
  }
}

/**
 * Returns the paths of the executable that a container's command can begin with: from its mounts, or known by name
 * alone.
 */
export function executablesOf(container: RawObject, traces: Traces): ReadonlySet<string> {
  const ours = mountsOf(container).filter((mount) => isOurMount(mount, traces));
  const paths = ours.filter(({ volume }) => purposeOf(volume) === 'executable').map(({ path }) => executableIn(path));
  if (isWrappedByName(container)) paths.push(String(asList(container.command)?.[0]));
  return new Set(paths);
}

export function hasConfigVariable(container: RawObject): boolean {
  return asList(container.env)?.some((variable) => nameOf(variable) === CONFIG_VARIABLE) === true;
}

function looksLikeOurMount({ volume, path, mount }: Mount): boolean {
  const purpose = purposeOf(volume);
  return (
    purpose !== undefined &&
    purpose === purposeOfMountPath(path) &&
    mount.readOnly === true &&
    mount.subPath === undefined &&
    mount.subPathExpr === undefined
  );
}

function looksLikeInstaller(container: RawObject): boolean {
  const command = asList(container.command);
  const args = asList(container.args);
  return (
    purposeOf(nameOf(container) ?? '') === 'executable' &&
    command?.length === 1 &&
    command[0] === EXECUTABLE_IN_IMAGE &&
    args?.[0] === INSTALL_FLAG
  );
}

/** A quick look at a few names; what passes is examined below. */
function isSuspect(podSpec: RawObject): boolean {
  if (asList(podSpec.volumes)?.some((volume) => purposeOf(nameOf(volume) ?? '') !== undefined) === true) return true;
  return hasWrappedCommand(podSpec);
}

function hasWrappedCommand(podSpec: RawObject): boolean {
  return containersOf(podSpec).some(isWrappedByName);
}

/** `[/vault-env…/vault-env]` with args `--, …` and our variable: ours, even when the mount is gone. */
function isWrappedByName(container: RawObject): boolean {
  const command = asList(container.command);
  const first = command?.length === 1 ? asString(command[0]) : undefined;
  if (first?.endsWith(`/${EXECUTABLE}`) !== true || asList(container.args)?.[0] !== END_OF_OPTIONS) return false;
  const mountPath = first.slice(0, -EXECUTABLE.length - 1);
  return purposeOfMountPath(mountPath) === 'executable' && hasConfigVariable(container);
}

/**
 * Returns the volumes that are ours by structure: an init container installs into it, or a container that mounts it as
 * we do has the wrapper as its command or our variable (one sign alone could be a user's). If there is such a volume,
 * everything else that looks like ours is ours.
 */
function evidentVolumes(
  podSpec: RawObject,
  { ours, foreign }: ReturnType<typeof volumesByContent>,
): { executables: readonly string[]; all: readonly string[] } {
  const executables = new Set<string>();
  const lookalikes = new Set(ours);
  for (const container of containersOf(podSpec)) {
    const isInstalling = looksLikeInstaller(container);
    const isConfigured = hasConfigVariable(container);
    const command = asList(container.command);
    for (const mount of mountsOf(container)) {
      if (foreign.has(mount.volume)) continue;
      const isExecutable = purposeOf(mount.volume) === 'executable';
      if (isExecutable && isInstalling) executables.add(mount.volume);
      if (!looksLikeOurMount(mount)) continue;
      lookalikes.add(mount.volume);
      const isCommand = command?.length === 1 && command[0] === executableIn(mount.path);
      if (isExecutable && (isConfigured || isCommand)) executables.add(mount.volume);
    }
  }
  return { executables: [...executables], all: executables.size > 0 ? [...executables, ...lookalikes] : [] };
}

/** Returns the names of volumes with exactly the content that we would generate, and of those with anything else. */
function volumesByContent(podSpec: RawObject): { ours: ReadonlySet<string>; foreign: ReadonlySet<string> } {
  const ours = new Set<string>();
  const foreign = new Set<string>();
  for (const item of asList(podSpec.volumes) ?? []) {
    const volume = asObject(item);
    const name = nameOf(volume);
    if (volume === undefined || name === undefined) continue;
    const source = ourSourceOf(volume);
    const isOurs = source !== undefined && !Object.keys(volume).some((key) => isOtherSource(volume, key, source));
    (isOurs ? ours : foreign).add(name);
  }
  return { ours, foreign };
}
