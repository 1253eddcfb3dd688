import { expect } from 'chai';

import { WORKLOAD_KINDS } from '../../../../core/kinds.ts';
import type { WorkloadKind } from '../../../../core/kinds.ts';
import { kindsIn, matchConditions, rowsOf, workloadRules } from '../../../../webhook/configuration/workload-rules.ts';

describe('what the API server sends for the kinds of workloads', () => {
  const conditions = (...kinds: WorkloadKind[]): Record<string, string> =>
    Object.fromEntries(matchConditions(rowsOf(kinds)).map(({ name, expression }) => [name, expression]));
  const changes = (...kinds: WorkloadKind[]): string | undefined =>
    conditions(...kinds)['changes-what-injection-reads'];
  const LABELS =
    'object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({}) || ' +
    'object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})';

  it('is one rule for those of one group and version, also for updates of what cannot change', () => {
    expect(workloadRules(rowsOf(['Deployment', 'Job', 'CronJob', 'StatefulSet', 'Pod']))).to.deep.equal(
      [
        ['apps', 'deployments', 'statefulsets'],
        ['batch', 'cronjobs', 'jobs'],
        ['', 'pods'],
      ].map(([group, ...resources]) => ({
        apiGroups: [group],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources,
        scope: 'Namespaced',
      })),
    );
  });

  it('are the kinds that rules are about', () => {
    for (const kinds of [WORKLOAD_KINDS, ['CronJob', 'ReplicationController'], []] as const)
      expect(kindsIn(workloadRules(rowsOf(kinds)))).to.deep.equal(kinds);
    expect(kindsIn(undefined)).to.deep.equal([]);
    expect(kindsIn([{ apiGroups: ['extensions'], apiVersions: ['v1'], resources: ['deployments'] }])).to.deep.equal([]);
  });

  it('are updates that change the template, looked for where the kind has it', () => {
    expect(changes('Deployment', 'StatefulSet')).to.equal(
      `request.operation == 'CREATE' || object.?spec.?template != oldObject.?spec.?template || ${LABELS}`,
    );
    expect(changes('Deployment', 'CronJob')).to.equal(
      "request.operation == 'CREATE' || " +
        "(request.kind.kind in ['Deployment'] && (object.?spec.?template != oldObject.?spec.?template)) || " +
        "(request.kind.kind in ['CronJob'] && (object.?spec.?jobTemplate.?spec.?template != " +
        `oldObject.?spec.?jobTemplate.?spec.?template)) || ${LABELS}`,
    );
  });

  it('are of pods those that change the spec, or would lose what injection has noted', () => {
    const had = 'oldObject.metadata.?annotations.orValue({})[?name]';
    const pods =
      "object.?spec != oldObject.?spec || ['vaultinjection.dev/injected', 'vaultinjection.dev/original'].exists(name, " +
      `${had}.hasValue() && ${had} != object.metadata.?annotations.orValue({})[?name])`;
    expect(changes('Pod')).to.equal(`request.operation == 'CREATE' || ${pods}`);
    expect(changes('ReplicaSet', 'Pod')).to.equal(
      "request.operation == 'CREATE' || (request.kind.kind in ['ReplicaSet'] && " +
        `(object.?spec.?template != oldObject.?spec.?template || ${LABELS})) || ` +
        `(request.kind.kind in ['Pod'] && (${pods}))`,
    );
  });

  it('are not those whose owner decides', () => {
    const owned = 'object.metadata.?ownerReferences.orValue([]).size() > 0';
    const injected = "?metadata.?annotations[?'vaultinjection.dev/injected'].hasValue()";
    const ofOwner = (...kinds: WorkloadKind[]): string | undefined =>
      conditions(...kinds)['is-not-decided-by-its-owner'];
    expect(ofOwner('Deployment', 'CronJob')).to.equal(undefined);
    expect(ofOwner('ReplicaSet', 'ReplicationController')).to.equal(`!(${owned})`);
    expect(ofOwner('Job')).to.equal(`!(${owned} && (object.?spec.?template.${injected}))`);
    expect(ofOwner('ReplicaSet', 'Pod')).to.equal(
      `!(${owned} && (request.kind.kind in ['ReplicaSet'] || (request.kind.kind in ['Pod'] && (object.${injected}))))`,
    );
  });

  it('are no mirror pods', () => {
    expect(conditions('Pod')['is-no-mirror-pod']).to.equal(
      "!object.metadata.?annotations[?'kubernetes.io/config.mirror'].hasValue()",
    );
    expect(conditions(...WORKLOAD_KINDS.filter((kind) => kind !== 'Pod'))).not.to.have.property('is-no-mirror-pod');
  });
});
