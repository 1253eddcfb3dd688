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

/** The policy of a manifest, with defaults; throws where it is not sound. */
export function policyOf(written?: Written): VaultInjectionPolicy {
  const checked = validate(manifest(written));
  if (!checked.ok) throw new Error(checked.problems.join('; '));
  return checked.policy;
}

/** The rule of a manifest; throws where there is none. */
export function ruleOf(written?: Written): Rule {
  const compiled = compilePolicy(policyOf(written), defaults);
  if (!compiled.ok) throw new Error(compiled.message);
  if (compiled.suspended) throw new Error('suspended');
  return compiled.rule;
}
