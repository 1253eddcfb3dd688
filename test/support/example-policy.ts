import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { compilePolicy } from '../../core/policy/compile.ts';
import type { VaultInjectionPolicy } from '../../core/policy/policy.generated.ts';
import type { Rule } from '../../core/policy/rule.ts';
import { policyValidator } from '../../core/policy/schema.ts';

/** The CRD, parsed. */
export const crd: unknown = parse(
  readFileSync(new URL('../../crds/vaultinjectionpolicies.yaml', import.meta.url), 'utf8'),
);

export const validate = policyValidator(crd);

export const defaults = {
  injectorImage: 'registry.example.com/vault-env:1.0.0',
  injectorImagePullPolicy: 'IfNotPresent',
  tokenAudience: 'vault',
  apiAudiences: ['https://kubernetes.default.svc'],
} as const;

/** What a person writes; `vault` is added to the one field that is required. */
export interface Written {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly vault?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** A manifest as somebody writes it, with the spec's fields beside each other. */
export function manifest({ metadata, vault, ...spec }: Written = {}): Record<string, unknown> {
  return {
    apiVersion: 'vaultinjection.dev/v1alpha1',
    kind: 'VaultInjectionPolicy',
    metadata: {
      namespace: 'shop',
      name: 'shop',
      uid: 'u-1',
      generation: 3,
      creationTimestamp: '2026-01-02T03:04:05Z',
      ...metadata,
    },
    spec: { ...spec, vault: { address: 'https://vault.vault.svc:8200', ...vault } },
  };
}

/** Returns the policy of a manifest, with defaults; throws if it is not valid. */
export function policyOf(written?: Written): VaultInjectionPolicy {
  const checked = validate(manifest(written));
  if (!checked.ok) throw new Error(checked.problems.join('; '));
  return checked.policy;
}

/** Returns the rule of a manifest; throws if there is none. */
export function ruleOf(written?: Written): Rule {
  const compiled = compilePolicy(policyOf(written), defaults);
  if (!compiled.ok) throw new Error(compiled.message);
  if (compiled.suspended) throw new Error('suspended');
  return compiled.rule;
}

/** What tests look into of a schema. */
export interface Schema {
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly 'x-kubernetes-validations'?: readonly {
    readonly rule: string;
    readonly message: string;
    readonly fieldPath?: string;
    readonly reason?: string;
  }[];
}

/** Returns the schema of a field of the policy's spec, such as vault.auth; throws if there is none. */
export function specSchema(path: string): Schema {
  return schemaAt(`spec.${path}`);
}

/** The same of its status. */
export function statusSchema(path: string): Schema {
  return schemaAt(`status.${path}`);
}

function schemaAt(path: string): Schema {
  const { spec } = crd as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  const root = spec.versions[0]?.schema.openAPIV3Schema;
  const found = path.split('.').reduce((at: Schema | undefined, step) => at?.properties?.[step], root);
  if (found === undefined) throw new Error(`the CRD has no ${path}`);
  return found;
}
