import { expect } from 'chai';

import type { MutationResult } from '../../../core/injection/outcome.ts';
import { createAdmission } from '../../../webhook/admission.ts';
import type { Reviewed } from '../../../webhook/admission.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import { reviewBody } from '../../support/review-body.ts';
import { testLog } from '../../support/test-log.ts';

const NOTHING: MutationResult = { outcome: 'NoPolicy', patch: [], wrapped: [], skipped: [], warnings: [], audit: {} };

describe('admission of an object without a valid name', () => {
  it('decides as on any other, because its API server refuses it, and reports nothing of it', async () => {
    const told: Reviewed[] = [];
    let decided = 0;
    const { logger, lines } = testLog();
    const admit = createAdmission({
      rules: () => ({ version: 1, rulesFor: () => [], unusableFor: () => [] }),
      mutate: () => {
        decided += 1;
        return NOTHING;
      },
      metrics: createWebhookMetrics(),
      logger,
      onReviewed: (reviewed) => void told.push(reviewed),
    });
    const { status } = await admit('fail', reviewBody({ name: '', object: { metadata: { name: '../x' }, spec: {} } }));
    expect([status, decided, told]).to.deep.equal([200, 1, []]);
    expect(JSON.stringify(lines)).to.contain('Deployment').and.not.contain('../x');
    await admit('fail', reviewBody());
    expect(told.map(({ name }) => name)).to.deep.equal(['web']);
  });
});
