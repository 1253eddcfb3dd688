import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';

import type { RawObject } from '../../../core/json.ts';
import { apiVersionOf, KINDS, kindOf, kindOfObject, makerOf, templateOf, WORKLOAD_KINDS } from '../../../core/kinds.ts';
import type { BuiltInKind, Maker, WorkloadKind } from '../../../core/kinds.ts';
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
  it('has those that the CRD allows as targets, in its order; a policy targets the first five by default', () => {
    const targets = specSchema('targets');
    const pattern = (targets.items as { pattern?: string } | undefined)?.pattern ?? '';
    // the API server shows it to who writes another word
    expect(pattern).to.match(new RegExp(`^\\^\\(${WORKLOAD_KINDS.join('\\|')}\\|`));
    for (const kind of [...WORKLOAD_KINDS, 'Rollout.argoproj.io', 'StatefulSet.apps.kruise.io']) {
      expect(kind).to.match(new RegExp(pattern));
    }
    for (const wrong of ['Deploymnet', 'deployment', 'Deployment.apps', 'rollouts.argoproj.io', 'Pod ', 'A.b.', '']) {
      expect(wrong).to.not.match(new RegExp(pattern));
    }
    expect(targets.default).to.deep.equal(['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job']);
    expect(targets.default).to.deep.equal(WORKLOAD_KINDS.slice(0, 5));
    expect(targets.maxItems).to.equal(16);
  });

  for (const kind of WORKLOAD_KINDS) {
    it(`has in ${kind} what the operator may read if it watches it, and annotate if that changes its template`, () => {
      const { watched, resource, templateMayChange } = KINDS[kind];
      const { group, plural } = resource;
      const rules = operatorsRole().rules.filter(
        ({ apiGroups, resources }) => apiGroups.includes(group) && resources.includes(plural),
      );
      const verbs = rules.flatMap((rule) => rule.verbs);
      const expected = watched !== 'Never' ? ['get', 'list', 'watch', ...(templateMayChange ? ['patch'] : [])] : [];
      expect(verbs).to.deep.equal(expected);
    });

    it(`finds the pod template of a ${kind} where it puts it`, () => {
      const template = { spec: { containers: [] } };
      expect(templateOf(kind, withTemplate(kind, template))).to.equal(template);
      if (kind === 'Pod') return;
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
    expect(() => kindOfObject({ apiVersion: 'apps/v1', kind: 'ControllerRevision' })).to.throw('no kind');
    expect(() => kindOfObject({ apiVersion: 'apps/v1', kind: 'Pod' })).to.throw('no kind');
    expect(kindOfObject({ apiVersion: 'v1', kind: 'Pod' })).to.equal('Pod');
  });

  it('names the version of each as manifests do', () => {
    expect(WORKLOAD_KINDS.map((kind) => `${apiVersionOf(kind)} ${kind}`)).to.deep.equal([
      'apps/v1 Deployment',
      'apps/v1 StatefulSet',
      'apps/v1 DaemonSet',
      'batch/v1 CronJob',
      'batch/v1 Job',
      'apps/v1 ReplicaSet',
      'v1 ReplicationController',
      'v1 Pod',
    ]);
  });
});

describe('what has made an object from a template of its own', () => {
  const owner = (apiVersion: string, kind: string, controller?: boolean): object => ({
    apiVersion,
    kind,
    name: 'it',
    uid: 'u-1',
    ...(controller !== undefined && { controller }),
  });
  const rows: readonly [string, WorkloadKind, object, Maker | undefined][] = [
    ['nothing has made a Job without an owner', 'Job', {}, undefined],
    ['a CronJob', 'Job', { ownerReferences: [owner('batch/v1', 'CronJob', true)] }, 'CronJob'],
    ['kubectl create job --from', 'Job', { ownerReferences: [owner('batch/v1', 'CronJob')] }, 'CronJob'],
    ['another operator', 'Job', { ownerReferences: [owner('example.com/v1', 'CronJob', true)] }, 'Other'],
    ['a ReplicaSet of nobody', 'Pod', { ownerReferences: [owner('apps/v1', 'ReplicaSet', true)] }, 'ReplicaSet'],
    [
      'a Deployment, by its ReplicaSet',
      'Pod',
      { labels: { 'pod-template-hash': '7d' }, ownerReferences: [owner('apps/v1', 'ReplicaSet', true)] },
      'Deployment',
    ],
    ['a StatefulSet', 'Pod', { ownerReferences: [owner('apps/v1', 'StatefulSet', true)] }, 'StatefulSet'],
    ['a Job', 'Pod', { ownerReferences: [owner('batch/v1', 'Job', true)] }, 'Job'],
    [
      'a ReplicationController',
      'Pod',
      { ownerReferences: [owner('v1', 'ReplicationController', true)] },
      'ReplicationController',
    ],
    [
      'the controller of several owners',
      'Pod',
      { ownerReferences: [owner('v1', 'Node'), owner('apps/v1', 'DaemonSet', true)] },
      'DaemonSet',
    ],
    [
      'an operator that we do not know',
      'Pod',
      { ownerReferences: [owner('postgresql.cnpg.io/v1', 'Cluster', true)] },
      'Other',
    ],
    ['a Deployment', 'ReplicaSet', { ownerReferences: [owner('apps/v1', 'Deployment', true)] }, 'Deployment'],
    [
      'nothing that counts: an operator that owns a Deployment',
      'Deployment',
      { ownerReferences: [owner('example.com/v1', 'Shop', true)] },
      undefined,
    ],
    ['nothing that can be read', 'Pod', { ownerReferences: ['x', null] }, undefined],
  ];
  for (const [what, kind, metadata, maker] of rows)
    it(`${kind}: ${what}`, () => expect(makerOf(kind, { metadata })).to.equal(maker));
});

function withTemplate(kind: BuiltInKind, template: object): RawObject {
  return KINDS[kind].template.reduceRight<unknown>((inner, field) => ({ [field]: inner }), template) as RawObject;
}
