import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';

import { KINDS, kindOf, kindOfObject, templateOf, WORKLOAD_KINDS } from '../../../core/kinds.ts';
import { specSchema } from '../../support/example-policy.ts';

interface ClusterRole {
  readonly kind: string;
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

function operatorsRole(): ClusterRole {
  const text = readFileSync(new URL('../../../config/rbac/operator.yaml', import.meta.url), 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as ClusterRole);
  const role = documents.find(({ kind }) => kind === 'ClusterRole');
  if (role === undefined) throw new Error('there is no ClusterRole');
  return role;
}

describe('the table of kinds', () => {
  it('has those that the CRD allows as targets, in its order, and a policy targets all of them by default', () => {
    const targets = specSchema('targets');
    expect(targets.items?.enum).to.deep.equal(WORKLOAD_KINDS);
    expect(targets.default).to.deep.equal(WORKLOAD_KINDS);
    expect(targets.maxItems).to.equal(WORKLOAD_KINDS.length);
  });

  for (const kind of WORKLOAD_KINDS) {
    it(`has in ${kind} what the operator may list, watch and annotate`, () => {
      const { group, plural } = KINDS[kind].resource;
      const rules = operatorsRole().rules.filter(
        ({ apiGroups, resources }) => apiGroups.includes(group) && resources.includes(plural),
      );
      const verbs = rules.flatMap((rule) => rule.verbs);
      expect(verbs).to.include.members(['get', 'list', 'watch', 'patch']);
    });

    it(`finds the pod template of a ${kind} where it puts it`, () => {
      const template = { spec: { containers: [] } };
      expect(templateOf(kind, { spec: { template } })).to.equal(template);
      expect(templateOf(kind, {})).to.equal(undefined);
      expect(templateOf(kind, { spec: [] })).to.equal(undefined);
    });

    it(`knows a ${kind} by group, version and name together`, () => {
      const { group, version } = KINDS[kind].resource;
      expect(kindOf(group, version, kind)).to.equal(kind);
      expect(kindOf(group, `${version}beta1`, kind)).to.equal(undefined);
      expect(kindOf('example.com', version, kind)).to.equal(undefined);
      expect(kindOf(group, version, kind.toLowerCase())).to.equal(undefined);
    });
  }

  it('knows no kind but its own', () => {
    expect(kindOf('apps', 'v1', 'constructor')).to.equal(undefined);
    expect(() => kindOfObject({ apiVersion: 'apps/v1', kind: 'ReplicaSet' })).to.throw('no kind');
  });
});
