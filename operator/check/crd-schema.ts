/** Whether an API server knows all that this version of the CRD says. Pure. */
import { asObject, asString } from '../../core/json.ts';
import type { RawObject } from '../../core/json.ts';

const KIND = 'VaultInjectionPolicy';
const VERSION = 'v1alpha1';

/** Returns the schema of a policy in the CRD. Throws if it is not that CRD. */
export function schemaOfCrd(crd: unknown): RawObject {
  const versions = asObject(asObject(crd)?.spec)?.versions;
  const version = (Array.isArray(versions) ? versions : [])
    .map(asObject)
    .find((one) => asString(one?.name) === VERSION);
  const schema = asObject(asObject(version?.schema)?.openAPIV3Schema);
  if (schema === undefined) throw new Error(`the CRD has no version ${VERSION}`);
  return schema;
}

/** Returns the schema of a policy in what an API server publishes (/openapi/v3/apis/GROUP/VERSION); undefined: none. */
export function schemaOfServer(document: unknown): RawObject | undefined {
  const schemas = asObject(asObject(asObject(document)?.components)?.schemas) ?? {};
  return Object.values(schemas)
    .map(asObject)
    .find((schema) => {
      const kinds = schema?.['x-kubernetes-group-version-kind'];
      return Array.isArray(kinds) && kinds.some((kind) => asObject(kind)?.kind === KIND);
    });
}

/**
 * Returns the fields, and the values of fields, that `own` has and `installed` has not, such as spec.vault.address. An API
 * server drops such a field from what users write. What it knows beyond `own` does not matter.
 */
export function lackingIn(installed: RawObject | undefined, own: RawObject, path = ''): readonly string[] {
  if (installed === undefined) return [path];
  const values = Array.isArray(own.enum) ? (own.enum as unknown[]) : [];
  const known = Array.isArray(installed.enum) ? (installed.enum as unknown[]) : values;
  const lacking = values.filter((value) => !known.includes(value)).map((value) => `${path}: ${String(value)}`);
  const below = ([name, schema]: [string, unknown]): readonly string[] => {
    const place = path === '' ? name : `${path}.${name}`;
    return lackingIn(asObject(asObject(installed.properties)?.[name]), asObject(schema) ?? {}, place);
  };
  // the others are the same for all kinds
  const fields = Object.entries(asObject(own.properties) ?? {}).filter(
    ([name]) => path !== '' || ['spec', 'status'].includes(name),
  );
  const items = asObject(own.items);
  return [
    ...lacking,
    ...fields.flatMap(below),
    ...(items === undefined ? [] : lackingIn(asObject(installed.items), items, `${path}[]`)),
  ];
}
