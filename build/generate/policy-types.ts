/**
 * The types of policies as the API server returns them, in which a field with a default is always set; and what else
 * the CRD says about fields: defaults and choices.
 */
import { CRD_FILE, policySchema, treeOf } from './crd.ts';
import type { Schema } from './crd.ts';
import { formatted } from './format.ts';

export const TYPES_FILE = 'core/policy/policy.generated.ts';

/** Resolves with the text that policy.generated.ts should have. */
export async function policyTypes(): Promise<string> {
  const root = policySchema();
  const spec = root.properties?.spec;
  const status = root.properties?.status;
  const condition = status?.properties?.conditions?.items;
  if (!spec || !status || !condition) throw new Error(`${CRD_FILE} has no spec, status and conditions`);
  const named = new Map([[condition, 'Condition']]);
  const source = `// Generated from ${CRD_FILE} by build/generate/policy-types.ts. Do not edit.
import type { KubernetesObject, ObjectMeta } from '../../core/object.ts';

${comment(root)}export interface VaultInjectionPolicy extends KubernetesObject {
  readonly metadata: ObjectMeta & { readonly namespace: string };
  readonly spec: VaultInjectionPolicySpec;
  readonly status?: VaultInjectionPolicyStatus;
}

${comment(spec)}export interface VaultInjectionPolicySpec ${typeOf(spec, named)}

${comment(status)}export interface VaultInjectionPolicyStatus ${typeOf(status, named)}

${comment(condition)}export interface Condition ${typeOf(condition, new Map())}

/** What the fields of a policy's spec hold where its author leaves them out. */
export const DEFAULTS = ${treeOf(defaultOf)} as const;

/** What the fields of a policy's spec may hold, where that is one of a few words. */
export const ENUMS = ${treeOf((schema) => schema.enum)} as const;
`;
  return formatted(TYPES_FILE, source);
}

/** {} on an object only says that the defaults of its fields apply if it is left out. */
function defaultOf(schema: Schema): unknown {
  return schema.type === 'object' ? undefined : schema.default;
}

function typeOf(schema: Schema, named: ReadonlyMap<Schema, string>): string {
  const name = named.get(schema);
  if (name !== undefined) return name;
  if (schema['x-kubernetes-int-or-string']) return 'number | string';
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  switch (schema.type) {
    case 'string':
    case 'boolean':
      return schema.type;
    case 'integer':
      return 'number';
    case 'array':
      return `readonly (${typeOf(schema.items ?? {}, named)})[]`;
    case 'object':
      return objectType(schema, named);
    case undefined:
      break;
  }
  throw new Error(`no type for ${JSON.stringify(schema)}`);
}

function objectType(schema: Schema, named: ReadonlyMap<Schema, string>): string {
  if (schema.additionalProperties) return `Readonly<Record<string, ${typeOf(schema.additionalProperties, named)}>>`;
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const always = required.has(name) || field.default !== undefined;
    return `${comment(field)}readonly ${name}${always ? '' : '?'}: ${typeOf(field, named)};`;
  });
  return `{\n${fields.join('\n')}\n}`;
}

/** Returns a doc comment, wrapped to the width of code. */
function comment(schema: Schema): string {
  if (!schema.description) return '';
  const lines = [''];
  for (const word of schema.description.replaceAll('*/', '* /').split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length > 90) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  if (lines.length === 1) return `/** ${lines.join('')} */\n`;
  return `/**\n${lines.map((line) => ` * ${line}\n`).join('')} */\n`;
}
