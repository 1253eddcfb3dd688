import { expect } from 'chai';

import { KINDS } from '../../../../core/kinds.ts';
import type { Kind } from '../../../../core/kinds.ts';
import { templateDiffers, workloadRules } from '../../../../webhook/configuration/workload-rules.ts';

const { Deployment, StatefulSet } = KINDS;
const CronJob: Kind = {
  ...Deployment,
  resource: { group: 'batch', version: 'v1', plural: 'cronjobs' },
  template: ['spec', 'jobTemplate', 'spec', 'template'],
};
const Job: Kind = {
  ...Deployment,
  resource: { group: 'batch', version: 'v1', plural: 'jobs' },
  templateMayChange: false,
};

describe('what the API server sends for the kinds of workloads', () => {
  it('is one rule for those of one group, version and kind of template', () => {
    expect(workloadRules({ Deployment, StatefulSet, CronJob, Job })).to.deep.equal([
      {
        apiGroups: ['apps'],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['deployments', 'statefulsets'],
        scope: 'Namespaced',
      },
      {
        apiGroups: ['batch'],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['cronjobs'],
        scope: 'Namespaced',
      },
      { apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'], scope: 'Namespaced' },
    ]);
  });

  it('are updates that change the template, looked for where the kind has it', () => {
    expect(templateDiffers({ Deployment, StatefulSet })).to.equal('object.spec.template != oldObject.spec.template');
    expect(templateDiffers({ Deployment, CronJob })).to.equal(
      "(request.kind.kind in ['Deployment'] && object.spec.template != oldObject.spec.template) || " +
        "(request.kind.kind in ['CronJob'] && " +
        'object.spec.jobTemplate.spec.template != oldObject.spec.jobTemplate.spec.template)',
    );
  });
});
