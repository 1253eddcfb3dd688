/**
 * Updates of workloads whose template cannot change, such as Jobs. People apply their manifest again, and the API server
 * refuses it where it is not what is stored: so it gets the injection that is stored, whatever the policy says now. Pure.
 */
import { asList, asObject, asString, equal } from '../json.ts';
import type { RawObject } from '../json.ts';
import { restore } from './restore.ts';

/**
 * Returns the template that an update should store: what was changed from what the stored template means, with everything
 * that injection once added. The same object if nothing has to be added.
 *
 * @param keepsLabel as in restore()
 */
export function reproduce(stored: RawObject, edited: RawObject, keepsLabel: boolean): RawObject {
  const meant = restore(stored, keepsLabel).template;
  if (meant === stored || equal(stored, edited)) return edited;
  return merged(meant, stored, restore(edited, keepsLabel).template) as RawObject;
}

/** Returns `theirs`, with what makes `ours` differ from `base`, as far as they have not changed the same. */
function merged(base: unknown, ours: unknown, theirs: unknown): unknown {
  if (equal(base, theirs)) return ours;
  if (equal(base, ours)) return theirs;
  const objects = [base, ours, theirs].map((value) => (value === undefined ? {} : asObject(value)));
  if (objects.every((object) => object !== undefined))
    return mergedFields(...(objects as [RawObject, RawObject, RawObject]));
  const named = [base, ours, theirs].map(byName);
  if (named.every((items) => items !== undefined)) return mergedItems(...(named as [Named, Named, Named]));
  return theirs;
}

function mergedFields(base: RawObject, ours: RawObject, theirs: RawObject): RawObject {
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  const fields = [...keys].map((key) => [key, merged(base[key], ours[key], theirs[key])] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

type Named = ReadonlyMap<string, unknown>;

/** In the order of ours: an installer comes first. */
function mergedItems(base: Named, ours: Named, theirs: Named): readonly unknown[] {
  const names = new Set([...ours.keys(), ...theirs.keys()]);
  const items = [...names].map((name) => merged(base.get(name), ours.get(name), theirs.get(name)));
  return items.filter((item) => item !== undefined);
}

/** Returns the items of a list by their names; undefined if some have none, or the same. */
function byName(value: unknown): Named | undefined {
  const items = value === undefined ? [] : asList(value);
  if (items === undefined) return undefined;
  const named = new Map<string, unknown>();
  for (const item of items) {
    const name = asString(asObject(item)?.name);
    if (name === undefined || named.has(name)) return undefined;
    named.set(name, item);
  }
  return named;
}
