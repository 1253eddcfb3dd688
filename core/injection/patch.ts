/**
 * JSON patch (RFC 6902) from one raw object to another that shares structure with it: what is the same object in both
 * is not compared, so the cost depends only on what changed.
 */
import { asList, asObject, equal } from '../json.ts';
import type { RawObject } from '../json.ts';

export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/**
 * Returns the operations that turn `before` into `after`, in the order in which they must be applied.
 * @param path JSON pointer (RFC 6901) of `before` in the object that the patch is for
 */
export function diff(before: unknown, after: unknown, path: string): readonly JsonPatchOperation[] {
  const operations: JsonPatchOperation[] = [];
  diffValue(before, after, path, operations);
  return operations;
}

function diffValue(before: unknown, after: unknown, path: string, operations: JsonPatchOperation[]): void {
  if (before === after) return;
  const objectBefore = asObject(before);
  const objectAfter = asObject(after);
  if (objectBefore && objectAfter) {
    diffObject(objectBefore, objectAfter, path, operations);
    return;
  }
  const listBefore = asList(before);
  const listAfter = asList(after);
  if (listBefore && listAfter) {
    diffList(listBefore, listAfter, path, operations);
    return;
  }
  if (!equal(before, after)) operations.push({ op: 'replace', path, value: after });
}

/** Checks for an own property only if values differ: no JSON value is identical to an inherited property. */
function diffObject(before: RawObject, after: RawObject, path: string, operations: JsonPatchOperation[]): void {
  for (const key in before) {
    if (before[key] === after[key] || Object.hasOwn(after, key)) continue;
    operations.push({ op: 'remove', path: `${path}/${escaped(key)}` });
  }
  for (const key in after) {
    const value = after[key];
    if (before[key] === value) continue;
    if (Object.hasOwn(before, key)) diffValue(before[key], value, `${path}/${escaped(key)}`, operations);
    else operations.push({ op: 'add', path: `${path}/${escaped(key)}`, value });
  }
}

/** Lists of objects are edited item by item; any other list, such as a command, is replaced as a whole. */
function diffList(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  operations: JsonPatchOperation[],
): void {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const oldPart = before.slice(head, before.length - tail);
  const newPart = after.slice(head, after.length - tail);
  if (isKeyed(oldPart) && isKeyed(newPart)) {
    diffKeyed(oldPart, newPart, head, path, operations);
  } else if (!equal(oldPart, newPart)) {
    operations.push({ op: 'replace', path, value: after });
  }
}

/** Walks both lists once; `at` is the position in the list after the operations so far. */
function diffKeyed(
  before: readonly unknown[],
  after: readonly unknown[],
  start: number,
  path: string,
  operations: JsonPatchOperation[],
): void {
  let next = 0;
  let at = start;
  let keys: { readonly wanted: ReadonlySet<unknown>; readonly left: Set<unknown> } | undefined;
  const removeNext = (): void => {
    keys?.left.delete(keyOf(before[next]));
    next++;
    operations.push({ op: 'remove', path: `${path}/${at}` });
  };
  // An item of `before` that does not belong here is removed; if it only moved, it is added again where it belongs.
  const isInTheWay = (key: unknown): boolean => {
    keys ??= { wanted: new Set(after.map(keyOf)), left: new Set(before.slice(next).map(keyOf)) };
    return keys.left.has(key) || !keys.wanted.has(keyOf(before[next]));
  };
  for (const item of after) {
    const key = keyOf(item);
    while (next < before.length && keyOf(before[next]) !== key && isInTheWay(key)) removeNext();
    if (next < before.length && keyOf(before[next]) === key) {
      diffValue(before[next++], item, `${path}/${at}`, operations);
      keys?.left.delete(key);
    } else {
      operations.push({ op: 'add', path: `${path}/${at}`, value: item });
    }
    at++;
  }
  while (next < before.length) removeNext();
}

/** Whether it is a list of objects with unique keys, as Kubernetes' list maps are. */
function isKeyed(list: readonly unknown[]): boolean {
  if (list.length < 2) return list.length === 0 || keyOf(list[0]) !== undefined;
  const keys = new Set<string | undefined>();
  for (const item of list) keys.add(keyOf(item));
  return keys.size === list.length && !keys.has(undefined);
}

/** The merge key of Kubernetes' own lists: mountPath for volume mounts, name for all others that occur here. */
function keyOf(item: unknown): string | undefined {
  const object = asObject(item);
  const key = object?.mountPath ?? object?.name;
  return typeof key === 'string' ? key : undefined;
}

/** RFC 6901: ~ is ~0, / is ~1. */
function escaped(key: string): string {
  return key.includes('~') || key.includes('/') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
}
