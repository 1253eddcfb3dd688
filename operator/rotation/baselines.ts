import { shortHash } from '../../core/hash.ts';
import { annotation } from '../../core/injection/annotations.ts';
import type { RestartWish, Use } from '../../core/workload/restarts.ts';
import { nameOfRead, readVersions } from '../../core/workload/versions.ts';

/**
 * Returns what to do for a workload, given the newest versions (undefined: unknown or not readable). What is known only
 * because other workloads read it is not told to one whose own pods have not started with it. The first known
 * version of a path becomes the baseline; only a higher version causes a restart, so neither an outage nor a secret
 * that was deleted, or recreated from version 1, restarts anything. Undefined: nothing to do.
 */
export function wishOf(use: Use, versionOf: (path: string) => number | undefined): RestartWish | undefined {
  const baseline = readVersions(use.annotations[annotation.versions]);
  const startedWith = new Set(use.startedWith);
  const hidden = new Set(use.hiddenReads);
  // what is written replaces all: a path that is read again later must not begin with a new baseline
  const versions = new Map(use.isPartial === true ? baseline : []);
  let isNew = false;
  let isHigher = false;
  for (const path of [...new Set(use.reads)].sort()) {
    const isHidden = hidden.has(path);
    const name = nameOfRead(path, isHidden);
    // a ConfigMap and the manifest may take turns in naming it
    const otherName = nameOfRead(path, !isHidden);
    const known = baseline.get(name) ?? baseline.get(otherName);
    versions.delete(otherName);
    const newest = startedWith.has(path) ? versionOf(path) : undefined;
    const version = Math.max(known ?? 0, newest ?? 0);
    if (version === 0) continue;
    versions.set(name, version);
    if (!baseline.has(name)) isNew = true;
    if (known !== undefined && version > known) isHigher = true;
  }
  if (!isNew && !isHigher) return undefined;
  const wanted = Object.fromEntries(versions);
  return { key: use.key, versions: wanted, hash: shortHash(JSON.stringify(wanted)), baselineOnly: !isHigher };
}
