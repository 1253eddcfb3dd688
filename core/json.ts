/**
 * Raw JSON as the API server sends it. Admission works on raw objects, so that unknown fields survive; these guards are
 * the only way to read them. They never throw, whatever the shape.
 */

export type RawObject = Readonly<Record<string, unknown>>;

/**
 * Parses JSON; returns undefined if the text is not JSON. It does not say why, because parsers quote what they read.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function asObject(value: unknown): RawObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as RawObject) : undefined;
}

export function asList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? (value as readonly unknown[]) : undefined;
}

export function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Returns a list of strings only; an empty list counts as absent, as it does for the kubelet. */
export function asStrings(value: unknown): readonly string[] | undefined {
  const list = asList(value);
  return list !== undefined && list.length > 0 && list.every((item) => typeof item === 'string') ? list : undefined;
}

/**
 * Returns an own property, never one inherited from the prototype: for names that a user chooses, such as annotations.
 * A field of the API is read directly: no object inherits one, JSON.parse makes `__proto__` a field.
 */
export function own(object: RawObject | undefined, key: string): unknown {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Returns the object without some keys; the same object if it has none of them. */
export function without(object: RawObject, ...keys: readonly string[]): RawObject {
  if (!keys.some((key) => Object.hasOwn(object, key))) return object;
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/**
 * Returns the object with `key` set to `value`, or without it if `value` is undefined; the same object if nothing
 * changes.
 */
export function withField(object: RawObject, key: string, value: unknown): RawObject {
  if (value === undefined) return without(object, key);
  return Object.hasOwn(object, key) && object[key] === value ? object : { ...object, [key]: value };
}

/** Returns the elements that `keep` accepts; the same list if it accepts all, undefined if it accepts none. */
export function keepWhere(
  list: readonly unknown[] | undefined,
  keep: (item: unknown) => boolean,
): readonly unknown[] | undefined {
  if (list === undefined || list.every(keep)) return list;
  const kept = list.filter(keep);
  return kept.length > 0 ? kept : undefined;
}

/**
 * Whether JSON values, or plain data built from them, are equal: the order of keys does not matter, that of lists does.
 * A key whose value is undefined is a key. NaN equals itself: a time that cannot be read has not changed.
 */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true;
  const listA = asList(a);
  if (listA !== undefined) {
    const listB = asList(b);
    return listB?.length === listA.length && listA.every((item, index) => equal(item, listB[index]));
  }
  const objectA = asObject(a);
  const objectB = asObject(b);
  if (objectA === undefined || objectB === undefined) return false;
  const keys = Object.keys(objectA);
  return (
    keys.length === Object.keys(objectB).length &&
    keys.every((key) => Object.hasOwn(objectB, key) && equal(objectA[key], objectB[key]))
  );
}
