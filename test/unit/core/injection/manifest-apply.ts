/**
 * What `kubectl apply` and server-side apply make of a live object, for the parts of a pod template: fields of the new
 * manifest are set, fields of the previous manifest that are gone are removed, everything else of the live object stays;
 * lists of objects merge by their key, lists of strings are replaced whole.
 */

type JsonObject = Record<string, unknown>;
/** Where in a merged list an element goes that no manifest knows: a position from 0 to the list's length. */
type Place = (length: number) => number;

export function applyManifest<T>(previous: T, next: T, live: T, place: Place = (length) => length): T {
  return merge(previous, next, live, place) as T;
}

function merge(previous: unknown, next: unknown, live: unknown, place: Place): unknown {
  if (isKeyed(next) && isKeyed(live)) return mergeLists(isKeyed(previous) ? previous : [], next, live, place);
  if (!isObject(next) || !isObject(live)) return copy(next);
  const before = isObject(previous) ? previous : {};
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(live)) {
    const kept = Object.hasOwn(before, key) && !Object.hasOwn(next, key) ? remains(before[key], value, place) : value;
    // what the manifest has is merged below
    if (kept !== undefined) result[key] = Object.hasOwn(next, key) ? undefined : copy(kept);
  }
  for (const [key, value] of Object.entries(next)) {
    result[key] = Object.hasOwn(live, key) ? merge(before[key], value, live[key], place) : copy(value);
  }
  return result;
}

/** A field that left the manifest takes its content with it; what others put into a merged list or map stays. */
function remains(previous: unknown, live: unknown, place: Place): unknown {
  if (isKeyed(previous) && isKeyed(live)) {
    const rest = mergeLists(previous, [], live, place);
    return rest.length > 0 ? rest : undefined;
  }
  if (!isObject(previous) || !isObject(live)) return undefined;
  const rest = merge(previous, {}, live, place) as JsonObject;
  return Object.keys(rest).length > 0 ? rest : undefined;
}

function mergeLists(previous: JsonObject[], next: JsonObject[], live: JsonObject[], place: Place): unknown[] {
  const find = (list: JsonObject[], item: JsonObject): JsonObject | undefined =>
    list.find((other) => keyOf(other) === keyOf(item));
  const result = next.map((item) => {
    const found = find(live, item);
    return found === undefined ? copy(item) : merge(find(previous, item), item, found, place);
  });
  for (const item of live) {
    if (find(next, item) === undefined && find(previous, item) === undefined) {
      result.splice(place(result.length), 0, copy(item));
    }
  }
  return result;
}

/** Most of what is copied are strings, for which structuredClone is slow. */
function copy(value: unknown): unknown {
  return typeof value === 'object' ? structuredClone(value) : value;
}

function keyOf(item: JsonObject): unknown {
  return item.mountPath ?? item.name;
}

function isKeyed(value: unknown): value is JsonObject[] {
  return Array.isArray(value) && value.every((item) => isObject(item) && keyOf(item) !== undefined);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
