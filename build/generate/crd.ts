/** The CRD as the generators read it. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** The parts of a structural schema that generators use. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}

export interface Field {
  /** The names from the spec to the field; the fields of a list's items are directly below the list. */
  readonly path: readonly string[];
  readonly schema: Schema;
}

interface Crd {
  readonly spec: {
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

export const CRD_FILE = 'crds/vaultinjectionpolicies.yaml';

/** Returns the schema of a VaultInjectionPolicy. */
export function policySchema(): Schema {
  const crd = parse(readFileSync(new URL(`../../${CRD_FILE}`, import.meta.url), 'utf8')) as Crd;
  const root = crd.spec.versions[0]?.schema.openAPIV3Schema;
  if (root?.properties?.spec === undefined) throw new Error(`${CRD_FILE} has no spec`);
  return root;
}

/** Returns all fields of a policy's spec, in the order of the CRD. */
export function specFields(): readonly Field[] {
  return fieldsBelow(policySchema().properties?.spec, []);
}

/**
 * Returns nested objects with the value of each field of the spec, as the source of a TypeScript constant. Fields
 * without one are left out.
 */
export function treeOf(valueOf: (schema: Schema) => unknown): string {
  const tree: Record<string, unknown> = {};
  for (const { path, schema } of specFields()) {
    const value = valueOf(schema);
    if (value === undefined) continue;
    let at = tree;
    for (const name of path.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
    const last = path.at(-1) ?? '';
    // a list and its items would share a place
    if (at[last] !== undefined || Array.isArray(at)) throw new Error(`no place for the value of ${path.join('.')}`);
    at[last] = value;
  }
  return JSON.stringify(tree);
}

function fieldsBelow(schema: Schema | undefined, path: readonly string[]): readonly Field[] {
  const own = Object.entries(schema?.properties ?? {}).flatMap(([name, field]) => {
    const here = [...path, name];
    return [{ path: here, schema: field }, ...fieldsBelow(field, here)];
  });
  const items = schema?.items;
  return items === undefined ? own : [...own, { path, schema: items }, ...fieldsBelow(items, path)];
}
