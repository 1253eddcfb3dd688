import { expect } from 'chai';

import type { MutationResult } from '../../../core/injection/outcome.ts';
import { createAdmission } from '../../../webhook/admission.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import { reviewBody } from '../../support/review-body.ts';
import { testLog } from '../../support/test-log.ts';

describe('the metrics of reviews', () => {
  it('count by entry how long they take, why they deny, and who has too much in it under either failure policy', async () => {
    const nothing: MutationResult = {
      outcome: 'Unchanged',
      patch: [],
      wrapped: [],
      skipped: [],
      warnings: [],
      audit: {},
    };
    const tooLarge = { reason: 'WorkloadTooLarge', message: 'policy shop does not inject it' } as const;
    const metrics = createWebhookMetrics();
    const admit = createAdmission({
      rules: () => ({ version: 1, rulesFor: () => [], unusableFor: () => [] }),
      mutate: ({ name }) =>
        name === 'refused' ? { ...nothing, outcome: 'Denied', denial: tooLarge } : { ...nothing, held: tooLarge },
      metrics,
      logger: testLog().logger,
    });
    const review = (name: string): Buffer => reviewBody({ name, object: { metadata: { name } } });
    await admit('fail', review('refused'));
    await admit('ignore', review('left-alone'));
    metrics.probed(0.002);
    const text = await metrics.register.metrics();
    for (const entry of ['fail', 'ignore', 'probe'])
      expect(text).to.contain(`vault_injection_review_duration_seconds_count{entry="${entry}"} 1\n`);
    expect(text).to.contain('vault_injection_denials_total{reason="WorkloadTooLarge"} 1\n');
    expect(text).to.contain('vault_injection_denials_total{reason="PathNotAllowed"} 0\n');
    expect(text).to.contain('vault_injection_review_bounds_total{bound="Size"} 2\n');
  });
});
