/**
 * Updates of workloads whose template cannot change, such as Jobs. People apply their manifest again, and the API server
 * refuses it where it is not what is stored: so it gets the injection that is stored, whatever the policy says now. Pure.
 */
import { asList, asObject, asString, equal, own } from '../json.ts';
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

// What injection writes lies no deeper: spec, containers, one of them, lifecycle, postStart, exec, command. Each level
// compares all that is below it.
const DEEPEST = 8;

/** Returns `theirs`, with what makes `ours` differ from `base`, as far as they have not changed the same. */
function merged(base: unknown, ours: unknown, theirs: unknown, depth = 0): unknown {
  if (equal(base, theirs)) return ours;
  if (depth === DEEPEST || equal(base, ours)) return theirs;
  const next = depth + 1;
  const objects = each(asFields, base, ours, theirs);
  if (objects !== undefined) return mergedFields(objects, next);
  const named = each(byName, base, ours, theirs);
  return named === undefined ? theirs : mergedItems(named, next);
}

type Three<T> = readonly [base: T, ours: T, theirs: T];
type Named = ReadonlyMap<string, unknown>;

function mergedFields([base, ours, theirs]: Three<RawObject>, depth: number): RawObject {
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  const fields = [...keys].map(
    (key) => [key, merged(own(base, key), own(ours, key), own(theirs, key), depth)] as const,
  );
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

/** In the order of ours: an installer comes first. */
function mergedItems([base, ours, theirs]: Three<Named>, depth: number): readonly unknown[] {
  const names = new Set([...ours.keys(), ...theirs.keys()]);
  const items = [...names].map((name) => merged(base.get(name), ours.get(name), theirs.get(name), depth));
  return items.filter((item) => item !== undefined);
}

/** Returns the three values as `read` returns them; undefined if it does for one of them. */
function each<T>(read: (value: unknown) => T | undefined, ...values: Three<unknown>): Three<T> | undefined {
  const [base, ours, theirs] = [read(values[0]), read(values[1]), read(values[2])];
  return base === undefined || ours === undefined || theirs === undefined ? undefined : [base, ours, theirs];
}

/** What is not there has no fields. */
function asFields(value: unknown): RawObject | undefined {
  return value === undefined ? {} : asObject(value);
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
