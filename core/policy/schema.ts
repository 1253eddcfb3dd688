import { Ajv } from 'ajv';
import type { ErrorObject, SchemaObject } from 'ajv';
import { WORKLOAD_KINDS } from '../kinds.ts';
import type { VaultInjectionPolicy } from './policy.generated.ts';

/** A valid policy with all defaults filled in, or what is wrong with it, one sentence per field. */
export type CheckedPolicy =
  | { readonly ok: true; readonly policy: VaultInjectionPolicy }
  | { readonly ok: false; readonly problems: readonly string[] };

const VERSION = 'v1alpha1';

/**
 * Returns a validator of policies for the parsed CRD. It does what the API server does with the schema: drops nulls,
 * fills in defaults, checks types and limits; it does not change its argument. Only the API server evaluates the CRD's
 * CEL rules; compilePolicy finds what goes wrong if one is missing. Throws if `crd` is not the CRD of
 * VaultInjectionPolicy.
 */
export function policyValidator(crd: unknown): (object: unknown) => CheckedPolicy {
  const validate = ajvForCrds().compile<VaultInjectionPolicy>(withMetadata(policySchema(crd)));
  return (object) => {
    const policy = withoutNulls(object);
    if (validate(policy)) return { ok: true, policy };
    return { ok: false, problems: problemsOf(validate.errors ?? []) };
  };
}

function ajvForCrds(): Ajv {
  const ajv = new Ajv({ strict: true, allErrors: true, useDefaults: true });
  ajv.addVocabulary([
    'x-kubernetes-int-or-string',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-list-type',
    'x-kubernetes-map-type',
    'x-kubernetes-validations',
  ]);
  const within = (limit: number) => (value: number) => value >= -limit && value < limit;
  ajv.addFormat('int32', { type: 'number', validate: within(2 ** 31) });
  ajv.addFormat('int64', { type: 'number', validate: within(2 ** 63) });
  ajv.addFormat('date-time', { type: 'string', validate: (text) => !Number.isNaN(Date.parse(text)) });
  return ajv;
}

function policySchema(crd: unknown): SchemaObject {
  const { spec } = crd as {
    spec?: {
      names?: { kind?: string };
      versions?: readonly { name: string; schema: { openAPIV3Schema: SchemaObject } }[];
    };
  };
  const version = spec?.versions?.find(({ name }) => name === VERSION);
  if (spec?.names?.kind !== 'VaultInjectionPolicy' || version === undefined)
    throw new Error(`not the CRD of VaultInjectionPolicy with the version ${VERSION}`);
  return version.schema.openAPIV3Schema;
}

/** A CRD leaves metadata to the API server; here it must have what identifies a rule. */
function withMetadata(schema: SchemaObject): SchemaObject {
  const text = { type: 'string', minLength: 1 };
  const metadata = { type: 'object', required: ['name', 'namespace'], properties: { name: text, namespace: text } };
  const required = [...((schema.required as string[] | undefined) ?? []), 'metadata'];
  return { ...schema, required, properties: { ...(schema.properties as object), metadata } };
}

/** Returns a copy without null members: to the API server, `role:` with nothing after it is no role. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]));
}

/** Never quotes a value: a key or password pasted into the wrong field must not end up in a status. */
function problemsOf(errors: readonly ErrorObject[]): string[] {
  // the branches of an anyOf fail one by one and then as a whole; the last error says it all
  const telling = errors.filter(({ schemaPath }) => !schemaPath.includes('/anyOf/'));
  return telling.map((error) => `${fieldOf(error)}: ${adviceFor(error)}`);
}

/** spec.environment.fromPaths[0].path, as the API server names fields. */
function fieldOf({ instancePath, keyword, params }: ErrorObject): string {
  const missing = keyword === 'required' ? [String(params.missingProperty)] : [];
  const steps = instancePath.split('/').slice(1).map(unescapePointer);
  const path = [...steps, ...missing].map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`)).join('');
  return path.replace(/^\./, '') || 'the policy';
}

/** RFC 6901, section 4. */
function unescapePointer(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function adviceFor({ instancePath, keyword, params, message }: ErrorObject): string {
  if (keyword === 'pattern' && instancePath.startsWith('/spec/targets/')) return TARGET;
  return ADVICE[keyword]?.(params) ?? message ?? keyword;
}

const TARGET = `write one of ${WORKLOAD_KINDS.join(', ')}, or Kind.group of the setting templates, such as Rollout.argoproj.io`;

type Params = Readonly<Record<string, unknown>>;

const entries = (limit: unknown): string => (limit === 1 ? '1 entry' : `${String(limit)} entries`);
const characters = (limit: unknown): string => (limit === 1 ? '1 character' : `${String(limit)} characters`);

const ADVICE: Readonly<Record<string, (params: Params) => string>> = {
  required: () => 'is missing',
  type: ({ type }) => `write ${WITH_ARTICLE[String(type)] ?? String(type)}`,
  anyOf: () => 'write a number or a string',
  enum: ({ allowedValues }) => `write one of ${(allowedValues as unknown[]).map(String).join(', ')}`,
  minimum: ({ limit }) => `write a number of at least ${String(limit)}`,
  maximum: ({ limit }) => `write a number of at most ${String(limit)}`,
  minLength: ({ limit }) => `write at least ${characters(limit)}`,
  maxLength: ({ limit }) => `write at most ${characters(limit)}`,
  minItems: ({ limit }) => `write at least ${entries(limit)}`,
  maxItems: ({ limit }) => `write at most ${entries(limit)}`,
  maxProperties: ({ limit }) => `write at most ${entries(limit)}`,
  format: ({ format }) => `write a value of the format ${String(format)}`,
  pattern: ({ pattern }) => `write text that matches ${String(pattern)}`,
};

const WITH_ARTICLE: Readonly<Record<string, string>> = {
  object: 'fields below it (an object)',
  array: 'a list',
  string: 'a text',
  integer: 'a whole number',
  boolean: 'true or false',
};
