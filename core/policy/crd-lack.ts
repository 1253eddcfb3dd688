/** What the CRD in the cluster lacks of the one that the operator was built with. Pure. */
import { asList, asObject, asString, equal } from '../json.ts';
import type { RawObject } from '../json.ts';

/** Fields and values, as `spec.rotation.interval`, `status.conflicts[].kind` or `spec.targets[]: DaemonSet`. */
export type Lack = readonly string[];

/**
 * Returns the fields and the values of enumerations that `own` has and `installed` does not, in the order of `own`; of an
 * object that is missing, only the object. What else `installed` has, or says otherwise, is no lack: a newer CRD has none.
 *
 * @param version of the API that the operator uses
 */
export function lackIn(installed: unknown, own: unknown, version = 'v1alpha1'): Lack {
  const found = schemaOf(installed, version);
  return found === undefined ? [`version ${version}`] : lackOfSchema(found, own, version);
}

/** The same, for a schema that an API server serves. */
export function lackOfSchema(installed: RawObject, own: unknown, version = 'v1alpha1'): Lack {
  const wanted = schemaOf(own, version);
  return wanted === undefined ? [] : lackOf(installed, wanted, '');
}

function schemaOf(crd: unknown, version: string): RawObject | undefined {
  const versions = (asList(asObject(asObject(crd)?.spec)?.versions) ?? []).map(asObject);
  const served = versions.find((one) => asString(one?.name) === version && one?.served !== false);
  return asObject(asObject(served?.schema)?.openAPIV3Schema);
}

function lackOf(found: RawObject, wanted: RawObject, path: string): string[] {
  const values = asList(found.enum) ?? [];
  const missingValues =
    found.enum === undefined
      ? []
      : (asList(wanted.enum) ?? [])
          .filter((value) => !values.some((other) => equal(other, value)))
          .map((value) => `${path}: ${String(value)}`);
  // own is open where it was closed
  if (found.enum !== undefined && wanted.enum === undefined) {
    missingValues.push(`${path}: more than ${values.map(String).join(', ')}`);
  }
  const fields = asObject(found.properties) ?? {};
  const inFields = Object.entries(asObject(wanted.properties) ?? {}).flatMap(([name, schema]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const field = asObject(fields[name]);
    return field === undefined ? [at] : lackOf(field, asObject(schema) ?? {}, at);
  });
  const inside = (key: 'items' | 'additionalProperties', step: string): string[] => {
    const [ours, theirs] = [asObject(wanted[key]), asObject(found[key])];
    return ours === undefined || theirs === undefined ? [] : lackOf(theirs, ours, `${path}${step}`);
  };
  return [...missingValues, ...inFields, ...inside('items', '[]'), ...inside('additionalProperties', '.*')];
}

/** Returns the status without fields that the CRD in the cluster lacks: a server-side apply of such is refused. */
export function withoutLacking<T extends object>(status: T, lack: Lack): T {
  const paths = lack
    .filter((path) => path.startsWith('status.') && !path.includes(': '))
    .map((path) => path.slice('status.'.length).split('.'));
  return paths.reduce((rest: unknown, path) => without(rest, path), status) as T;
}

function without(value: unknown, [step = '', ...steps]: readonly string[]): unknown {
  const object = asObject(value);
  if (object === undefined) return value;
  const name = step.replace(/\[\]$/, '');
  if (!(name in object)) return value;
  if (steps.length === 0) return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
  const inner = object[name];
  const rest = Array.isArray(inner) ? inner.map((item) => without(item, steps)) : without(inner, steps);
  return { ...object, [name]: rest };
}

// In a message.
const MOST_NAMED = 5;

/** Returns the lack in words, such as `spec.rotation, spec.rollout and 3 more`. */
export function describeLack(lack: Lack): string {
  const named = lack.slice(0, MOST_NAMED).join(', ');
  return lack.length > MOST_NAMED ? `${named} and ${lack.length - MOST_NAMED} more` : named;
}
