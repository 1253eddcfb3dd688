import { expect } from 'chai';

import type { MutationResult } from '../../../core/injection/outcome.ts';
import { createAdmission } from '../../../webhook/admission.ts';
import type { Reviewed } from '../../../webhook/admission.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import { reviewBody } from '../../support/review-body.ts';
import { testLog } from '../../support/test-log.ts';

const NOTHING: MutationResult = { outcome: 'NoPolicy', patch: [], wrapped: [], skipped: [], warnings: [], audit: {} };

describe('what admission reports of a review', () => {
  it('is also what was let in although the policy wanted it injected, and what came injected', async () => {
    const told: Reviewed[] = [];
    const policy = { name: 'default', generation: 7 };
    const held = { reason: 'PolicyUnusable', message: 'why' } as const;
    const results: MutationResult[] = [
      { ...NOTHING, outcome: 'Unchanged', policy, held },
      { ...NOTHING, outcome: 'Unchanged', policy, wrapped: ['app'] },
      { ...NOTHING, outcome: 'Injected', policy, wrapped: ['app'] },
    ];
    const admit = createAdmission({
      rules: () => ({ version: 1, rulesFor: () => [], unusableFor: () => [] }),
      mutate: () => results[told.length] ?? NOTHING,
      metrics: createWebhookMetrics(),
      logger: testLog().logger,
      onReviewed: (reviewed) => void told.push(reviewed),
    });
    for (const result of results) {
      const { status } = await admit('ignore', reviewBody());
      expect(status, result.outcome).to.equal(200);
    }
    expect(told.map((one) => [one.outcome, one.held?.reason, one.cameInjected])).to.deep.equal([
      ['Unchanged', 'PolicyUnusable', undefined],
      ['Unchanged', undefined, true],
      ['Injected', undefined, undefined],
    ]);
  });
});
