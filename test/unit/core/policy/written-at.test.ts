import { expect } from 'chai';
import { ruleOf } from '../../../support/example-policy.ts';

describe('since when a rule says what it says', () => {
  const entry = (time: string, fieldsV1: object, more: object = {}): object => ({
    manager: 'kubectl',
    operation: 'Update',
    time,
    fieldsV1,
    ...more,
  });
  const SPEC = { 'f:spec': { 'f:vault': {} } };
  const LABELS = { 'f:metadata': { 'f:labels': { 'f:team': {} } } };

  it('is the newest time at which somebody wrote the spec', () => {
    const managedFields = [
      entry('2026-02-01T00:00:00Z', SPEC),
      entry('2026-03-01T00:00:00Z', SPEC, { manager: 'flux', operation: 'Apply' }),
      entry('2026-04-01T00:00:00Z', LABELS),
      entry('2026-05-01T00:00:00Z', { 'f:status': {} }, { subresource: 'status' }),
    ];
    expect(ruleOf({ metadata: { managedFields } }).since).to.equal(Date.UTC(2026, 2, 1));
  });

  it('is when the policy was created if nobody knows who wrote it, and never part of the hash', () => {
    const managedFields = [entry('2026-04-01T00:00:00Z', LABELS), entry('not a time', SPEC)];
    const rule = ruleOf({ metadata: { managedFields } });
    expect(rule.since).to.equal(Date.UTC(2026, 0, 2, 3, 4, 5));
    expect(ruleOf({ metadata: { managedFields: [entry('2026-04-01T00:00:00Z', SPEC)] } }).hash).to.equal(rule.hash);
  });
});
