import { expect } from 'chai';
import type { RawObject } from '../../../core/json.ts';
import type { MutationInput } from '../../../core/injection/mutate.ts';
import { oversizedOf } from '../../../core/oversized.ts';
import { createAdmission } from '../../../webhook/admission.ts';
import type { Answer } from '../../../webhook/admission.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import { reviewBody } from '../../support/review-body.ts';
import { testLog } from '../../support/test-log.ts';

const SECRET = 'hunter2';
const NOTHING = { outcome: 'NoPolicy', patch: [], wrapped: [], skipped: [], warnings: [], audit: {} } as const;
const RULES = { version: 1, rulesFor: () => [], unusableFor: () => [] };

describe('admission by a large body', () => {
  const empties = (count: number): object[] => Array.from({ length: count }, () => ({}));
  const large = (change: object): Buffer => reviewBody({ operation: 'UPDATE', ...change });
  async function seenOf(bytes: Buffer): Promise<{ answer: Answer; seen: MutationInput | undefined }> {
    let seen: MutationInput | undefined;
    const admission = createAdmission({
      rules: () => RULES,
      mutate: (input) => ((seen = input), NOTHING),
      metrics: createWebhookMetrics(),
      logger: testLog().logger,
    });
    return { answer: await admission('fail', bytes), seen };
  }

  it('asks the pure core about the same as of a short one', async () => {
    const object = {
      metadata: { name: 'web' },
      spec: { args: Array.from({ length: 30_000 }, () => 'x'.repeat(20)) },
    };
    const { answer, seen } = await seenOf(large({ object, oldObject: object }));
    expect(answer.status).to.equal(200);
    expect(seen).to.deep.include({ object, stored: object, name: 'web' });
  });

  it('leaves out what is too much of an object, and says so', async () => {
    const object = { metadata: { name: 'web' }, spec: { tolerations: empties(900_000) } };
    const small = { metadata: { name: 'web' }, spec: {} };
    const { answer, seen } = await seenOf(large({ object, oldObject: small }));
    expect(answer.status).to.equal(200);
    expect(seen?.stored).to.deep.equal(small);
    expect(seen?.object).to.not.have.property('spec');
    expect(oversizedOf(seen?.object as RawObject)).to.deep.include({ elements: 900_004, hasLabels: true });
  });

  it('refuses what no API server sends', async () => {
    const tooMany = await seenOf(large({ userInfo: { groups: empties(300_000) } }));
    expect(tooMany.answer).to.deep.include({ status: 413, body: 'the body has too many fields and elements\n' });
    const broken = Buffer.concat([large({ object: { spec: empties(200_000) } }), Buffer.from('}')]);
    expect((await seenOf(broken)).answer).to.deep.include({ status: 400, body: 'the body is not JSON\n' });
    const cut = broken.subarray(0, broken.length - 10);
    expect((await seenOf(cut)).answer).to.deep.include({ status: 400, body: 'the body is not JSON\n' });
  });

  it('answers 500 if the core throws', async () => {
    const { logger, lines } = testLog();
    const mutate = (): never => {
      throw new TypeError(SECRET);
    };
    const metrics = createWebhookMetrics();
    const admission = createAdmission({ rules: () => RULES, mutate, metrics, logger });
    const answer = await admission('fail', large({ object: { metadata: {}, spec: 'x'.repeat(300_000) } }));
    expect(answer.status).to.equal(500);
    expect(JSON.stringify(lines)).to.contain('TypeError').and.not.contain(SECRET);
  });
});
