/**
 * Versions of secrets by path, as the annotation `versions` and Events say them. Paths that manifests and policies name are
 * no secrets: the status of the policy names them too. A path that only ConfigMaps name is a hash there. Pure.
 */
import { shortHash } from '../hash.ts';
import { annotation } from '../injection/annotations.ts';
import { asObject, parseJson } from '../json.ts';
import { compareText } from '../order.ts';
import { listed, shortened } from '../shown.ts';

type Versions = Readonly<Record<string, number>>;

const HASHED = '=';

/**
 * Returns what a path is called where people read it who need not be able to read ConfigMaps: `=` and a hash if only
 * ConfigMaps name it.
 */
export function nameOfRead(path: string, isHidden: boolean): string {
  return isHidden ? `${HASHED}${shortHash(path)}` : path;
}

/** Returns equal text for equal content: paths in order. */
export function versionsText(versions: Versions): string {
  return JSON.stringify(Object.fromEntries(sorted(Object.entries(versions))));
}

/** Ignores what is not a version of a path: anybody may write annotations. */
export function readVersions(text: string | undefined): ReadonlyMap<string, number> {
  const versions = asObject(parseJson(text ?? '')) ?? {};
  const isVersion = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
  return new Map(Object.entries(versions).filter((entry): entry is [string, number] => isVersion(entry[1])));
}

/**
 * Returns why pods restart, for Events: which paths have a newer version.
 *
 * @param startedWith the text of the versions that the pods started with
 */
export function newerText(versions: Versions, startedWith: string | undefined): string {
  const before = readVersions(startedWith);
  const newer = sorted(Object.entries(versions)).flatMap(([path, version]) => {
    const old = before.get(path) ?? version;
    return version > old ? [`${textOf(path)} has version ${version} (pods started with version ${old})`] : [];
  });
  return newer.length === 0 ? startText(versionsText(versions)) : `restarting: ${listed(newer)}`;
}

/** Returns the same where nobody knows any more what the pods started with: what they should start with. */
export function startText(text: string | undefined): string {
  const wanted = sorted([...readVersions(text)]).map(([path, version]) => `version ${version} of ${textOf(path)}`);
  if (wanted.length === 0) return `restarting, as ${annotation.restart} asks`;
  return `restarting: pods should start with ${listed(wanted)}`;
}

function textOf(name: string): string {
  return name.startsWith(HASHED) ? 'a secret that a ConfigMap refers to' : shortened(name);
}

function sorted(versions: readonly (readonly [string, number])[]): readonly (readonly [string, number])[] {
  return versions.toSorted(([a], [b]) => compareText(a, b));
}
