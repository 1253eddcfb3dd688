import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { compilePolicy } from '../../../core/policy/compile.ts';
import { matchingRules } from '../../../core/policy/match.ts';
import { RuleCache } from '../../../operator/policies/rule-cache.ts';
import type { WorkloadKind } from '../../../core/kinds.ts';
import type { Rule } from '../../../core/policy/rule.ts';
import { defaults, validate } from '../../support/example-policy.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
}

function documents(file: string): Manifest[] {
  const text = readFileSync(new URL(`../../../samples/${file}.yaml`, import.meta.url), 'utf8');
  return parseAllDocuments(text, { merge: true }).map((document) => document.toJS() as Manifest);
}

function compiled(policy: unknown): Rule {
  const checked = validate(policy);
  if (!checked.ok) throw new Error(checked.problems.join('; '));
  const result = compilePolicy(checked.policy, defaults);
  if (!result.ok) throw new Error(result.message);
  if (result.suspended) throw new Error('suspended');
  return result.rule;
}

describe('in the samples', () => {
  const cache = new RuleCache();
  before(() => {
    const policies = ['shop', 'database', 'self-service'].flatMap((name) => documents(`policies/${name}`));
    for (const each of policies) cache.set(compiled(each));
  });

  const winners = { web: 'shop', database: 'database', report: 'self-service' };
  for (const [workload, policy] of Object.entries(winners))
    it(`the policy ${policy} compiles and applies to ${workload}`, () => {
      const { kind, metadata } = documents(`workloads/${workload}`).find((one) => one.kind !== 'Service') ?? {};
      const rules = cache.snapshot().rulesFor(metadata?.namespace ?? '');
      const [winner] = matchingRules(rules, kind as WorkloadKind, metadata?.labels ?? {});
      expect(winner?.policy.name).to.equal(policy);
    });
});
