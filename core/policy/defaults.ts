/** Applies the defaults of the CRD to any section of a policy that has some. Pure. */
import { equal } from '../json.ts';

/** A section of DEFAULTS: a default for each field that has one, in the order of the CRD. */
export interface Defaults {
  readonly [field: string]: Defaults | string | number | boolean | readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Returns the fields of a section that have a default, in the order of the CRD, and no others: a CRD in the cluster
 * that is newer than this code has some that it does not know.
 */
export function knownFields<T extends object>(section: T, defaults: Defaults): T {
  const known = Object.entries(defaults).flatMap(([name, byDefault]) => {
    const value = (section as Fields)[name];
    if (value === undefined) return [];
    return [[name, isSection(byDefault) ? knownFields(value as object, byDefault) : value]];
  });
  return Object.fromEntries(known) as T;
}

/**
 * Returns the same without the fields that hold their default; undefined if none is left.
 * @param isMeant by its path below the section: whether the field is to be left out then (all of them are)
 */
export function withoutDefaults(
  section: object,
  defaults: Defaults,
  isMeant: (path: string) => boolean = () => true,
  above = '',
): object | undefined {
  const given = Object.entries(defaults).flatMap(([name, byDefault]) => {
    const path = above + name;
    const value = (section as Fields)[name];
    if (value === undefined) return [];
    const left = isSection(byDefault)
      ? withoutDefaults(value as object, byDefault, isMeant, `${path}.`)
      : equal(value, byDefault) && isMeant(path)
        ? undefined
        : value;
    return left === undefined ? [] : [[name, left]];
  });
  return given.length > 0 ? (Object.fromEntries(given) as object) : undefined;
}

function isSection(byDefault: Defaults[string]): byDefault is Defaults {
  return typeof byDefault === 'object' && !Array.isArray(byDefault);
}
