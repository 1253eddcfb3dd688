import { expect } from 'chai';

import { workloadOf } from '../../../../core/workload/workload.ts';
import { createJudge } from '../../../../operator/workloads/judge.ts';
import type { SourceAnswer } from '../../../../core/injection/sources.ts';
import { knownSources, ruleWith, snapshotOf } from '../../../support/example-rule.ts';
import { container, deployment } from '../../../support/example-workload.ts';

describe('judging a workload whose environment comes from a ConfigMap', () => {
  const object = deployment({
    containers: [container({ envFrom: [{ configMapRef: { name: 'settings' } }] })],
  });
  const stored = {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
    ...object,
    metadata: { ...object.metadata, namespace: 'shop', name: 'web', uid: 'u-1' },
  };
  const rules = snapshotOf(ruleWith({ failurePolicy: 'Ignore' }));

  /** Whether it may read more than is known, given what is known of the ConfigMap; undefined: nothing yet. */
  function isPartial(answer: SourceAnswer | undefined): boolean {
    const known = answer && knownSources({ 'ConfigMap settings': answer });
    const judge = createJudge({
      sources: { use: (_key, _namespace, needs) => (needs === undefined ? undefined : known) },
    });
    const standing = judge('shop/Deployment/web', workloadOf(stored), stored, rules);
    expect(standing).not.to.equal(undefined);
    return standing?.isPartial === true;
  }

  it('knows all that it reads once the ConfigMap has been read, or does not exist', () => {
    expect(isPartial({ data: { A: 'vault:a/data/b#c' } })).to.equal(false);
    expect(isPartial({ missing: true })).to.equal(false);
  });

  it('may read more before that, and while it cannot be read', () => {
    expect(isPartial(undefined)).to.equal(true);
    expect(isPartial({ unreadable: 'try again' })).to.equal(true);
  });
});
