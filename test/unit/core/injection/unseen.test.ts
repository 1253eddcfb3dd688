import { expect } from 'chai';
import { mutateWorkload } from '../../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../../core/injection/outcome.ts';
import type { SourceAnswer } from '../../../../core/injection/sources.ts';
import type { Rule } from '../../../../core/policy/rule.ts';
import { standingOf } from '../../../../core/workload/standing.ts';
import { summaryOf } from '../../../../core/workload/summary.ts';
import { workloadOf } from '../../../../core/workload/workload.ts';
import { ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';
import type { Workload } from '../../../support/example-workload.ts';

/**
 * Who reads a warning, a denial, a status or an Event need not be able to read the ConfigMaps and Secrets that environment
 * comes from: no key, path or text of theirs is in it. The word is in all of them.
 */
const CANARY = 'canary';
const READ = { configMaps: 'Read', secrets: 'Read' } as const;
const KEY = `${CANARY.toUpperCase()}_KEY`;
const HELD = {
  'a reference': `vault:secret/data/${CANARY}/db#${CANARY}`,
  'a write': `>>vault:pki/issue/${CANARY}#${CANARY}`,
  'a malformed reference': `vault:secret/data/${CANARY}`,
  'a reference with a version that is none': `vault:secret/data/${CANARY}#${CANARY}#${CANARY}`,
  'an inline reference': `postgres://${CANARY}:\${vault:secret/data/${CANARY}#${CANARY}}@${CANARY}`,
  'an inline reference that does not end': `\${vault:secret/data/${CANARY}#${CANARY}`,
  'a ciphertext': `vault:v1:${CANARY}`,
};
const RULES: Readonly<Record<string, Rule>> = {
  'a policy that allows everything': ruleWith({ sources: READ }),
  'a policy that allows other paths': ruleWith({
    sources: READ,
    environment: { allowedPaths: ['secret/data/team/*'] },
  }),
  'a policy that ignores failures': ruleWith({ sources: READ, failurePolicy: 'Ignore' }),
};

describe('what nobody is shown of a ConfigMap or Secret', () => {
  for (const kind of ['ConfigMap', 'Secret'] as const) {
    const field = kind === 'ConfigMap' ? 'configMap' : 'secret';
    const from = { envFrom: [{ [`${field}Ref`]: { name: 'shop' } }] };
    const keyOf = (key: string): object => ({
      env: [{ name: 'DB', valueFrom: { [`${field}KeyRef`]: { name: 'shop', key } } }],
      args: ['$(DB)'],
    });
    for (const [how, environment] of Object.entries({ 'all of it': from, 'a key': keyOf(KEY) })) {
      for (const [what, text] of Object.entries(HELD)) {
        for (const [whose, rule] of Object.entries(RULES)) {
          it(`${kind} with ${what}, ${how} in the environment, under ${whose}`, () => {
            const object = deployment({ containers: [container({ env: [], ...environment })] });
            expect(told(object, rule, { data: { [KEY]: text } })).to.not.match(/canary/i);
          });
        }
      }
    }
    it(`the key that a variable names and ${kind} lacks`, () => {
      const object = deployment({ containers: [container(keyOf(`${CANARY}.key`))] });
      const text = told(object, ruleWith({ sources: READ }), { data: {} });
      expect(text)
        .to.contain(`the key for DB in ${kind} shop does not exist yet`)
        .and.not.match(/canary/);
    });
  }
});

/** What a patch writes, but for what the manifest says. */
function written(patch: MutationResult['patch']): string {
  return JSON.stringify(patch).replaceAll(`"key":"${KEY}"`, '');
}

/** Everything that admission and the inventory say about the workload. */
function told(object: Workload, rule: Rule, answer: SourceAnswer): string {
  const sources = (): SourceAnswer => answer;
  const rules = snapshotOf(rule);
  const input = { kind: 'Deployment', namespace: 'shop', name: 'web', object, rules, sources } as const;
  const says = ({ denial, held, warnings, skipped, audit, details, patch }: MutationResult): unknown => [
    ...[denial, held, warnings, skipped, audit, details?.faults, written(patch)],
  ];
  const workload = workloadOf(object as never);
  const standing = standingOf(workload, object, rules, { sources });
  if (standing === undefined) throw new Error('the policy does not apply');
  const tracked = { key: 'shop/Deployment/web', workload, standing, pending: false } as never;
  const said = [mutateWorkload(input), mutateWorkload({ ...input, detailed: true })].map(says);
  const { state, reason, message } = standing;
  return JSON.stringify([said, state, reason, message, summaryOf(rule, [tracked], { stalls: [] })]);
}
