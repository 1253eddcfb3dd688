import { expect } from 'chai';

import type { MutationInput } from '../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../core/injection/outcome.ts';
import type { RuleSnapshot } from '../../../core/policy/rule.ts';
import { SPAN_ATTRIBUTES, SPANS } from '../../../core/spans.ts';
import { createAdmission } from '../../../webhook/admission.ts';
import type { Admission, AdmissionOptions, Answer } from '../../../webhook/admission.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import { HOSTILE } from '../../support/hostile-text.ts';
import { RecordingTracer, TRACEPARENT } from '../../support/recorded-spans.ts';
import type { RecordedSpan } from '../../support/recorded-spans.ts';
import { reviewBody } from '../../support/review-body.ts';
import { testLog } from '../../support/test-log.ts';

const CANARY = 'canary-7d1f';
const NOTHING: MutationResult = { outcome: 'NoPolicy', patch: [], wrapped: [], skipped: [], warnings: [], audit: {} };
const RULES: RuleSnapshot = { version: 1, rulesFor: () => [], unusableFor: () => [] };
const POLICY = { namespace: 'shop', name: 'shop', uid: 'u', generation: 1, createdAt: 0 };

/** A Deployment with something that nobody may learn in every place that tenants write. */
const object = {
  metadata: { name: 'web', annotations: { [CANARY]: CANARY }, labels: { app: CANARY } },
  spec: {
    template: {
      spec: {
        containers: [{ name: CANARY, image: CANARY, command: [CANARY], env: [{ name: CANARY, value: CANARY }] }],
      },
    },
  },
};

describe('the trace of a review', () => {
  let tracer: RecordingTracer;
  beforeEach(() => {
    tracer = new RecordingTracer();
  });

  const admission = (options: Partial<AdmissionOptions> = {}): Admission => {
    const { logger } = testLog();
    const metrics = createWebhookMetrics();
    return createAdmission({ rules: () => RULES, mutate: () => NOTHING, metrics, logger, tracer, ...options });
  };
  const reviewed = async (options: Partial<AdmissionOptions>, body = reviewBody({ object })): Promise<Answer> =>
    admission(options)('fail', body, TRACEPARENT);
  const only = (): RecordedSpan => {
    expect(tracer.spans).to.have.length(1);
    const [span] = tracer.spans;
    if (span === undefined) throw new Error('unreachable: there is one');
    return span;
  };

  it('continues that of the API server, and says what was decided', async () => {
    const wrapped = ['app', 'sidecar'];
    await reviewed({ mutate: () => ({ ...NOTHING, outcome: 'Injected', wrapped, policy: POLICY }) });
    const { attributes, ...span } = only();
    expect(span).to.include({ name: 'review', traceparent: TRACEPARENT, errorType: undefined, ends: 1 });
    const { 'vaultinjection.review.bytes': bytes, 'vaultinjection.review.uid': uid, ...rest } = attributes;
    expect(bytes).to.equal(reviewBody({ object }).length);
    expect(uid).to.be.a('string').and.not.equal('');
    expect(rest).to.deep.equal({
      'k8s.namespace.name': 'shop',
      'k8s.deployment.name': 'web',
      'vaultinjection.entry': 'fail',
      'vaultinjection.operation': 'CREATE',
      'vaultinjection.dry_run': false,
      'vaultinjection.outcome': 'Injected',
      'vaultinjection.policy.name': 'shop',
      'vaultinjection.containers.wrapped': 2,
      'http.response.status_code': 200,
    });
  });

  it('fails with a denial, by its reason and without its message', async () => {
    const denial = { reason: 'PathNotAllowed', message: CANARY } as const;
    await reviewed({ mutate: () => ({ ...NOTHING, outcome: 'Denied', denial, policy: POLICY }) });
    const span = only();
    expect(span.errorType).to.equal('PathNotAllowed');
    expect(span.attributes).to.include({ 'vaultinjection.outcome': 'Denied', 'http.response.status_code': 200 });
    expect(JSON.stringify(tracer.spans)).not.to.contain(CANARY);
  });

  it('fails with what is no review, with a bug, and with a review that comes too early', async () => {
    await reviewed({}, Buffer.from(CANARY));
    await reviewed({
      mutate: () => {
        throw new Error(CANARY);
      },
    });
    await reviewed({ ignorance: () => CANARY });
    const ends = tracer.spans.map(({ errorType, attributes, ends }) => [
      errorType,
      attributes['vaultinjection.outcome'],
      ends,
    ]);
    expect(ends).to.deep.equal([
      ['400', undefined, 1],
      ['500', 'Error', 1],
      ['503', 'Postponed', 1],
    ]);
    expect(JSON.stringify(tracer.spans)).not.to.contain(CANARY);
  });

  it('has what a review waits for as children, with counts and without names', async () => {
    const needs = { images: [CANARY, 'b'], serviceAccount: CANARY, pullSecrets: [CANARY] };
    const sourceNeeds = { objects: [{ kind: 'Secret', name: CANARY } as const] };
    const mutate = ({ images }: MutationInput): MutationResult =>
      images === undefined ? { ...NOTHING, needs, sourceNeeds } : { ...NOTHING, outcome: 'Injected' };
    await reviewed({
      mutate,
      lookUps: {
        images: {
          known: () => undefined,
          find: () => Promise.resolve((image) => (image === 'b' ? { why: CANARY } : { entrypoint: [CANARY], cmd: [] })),
        },
        sources: { known: () => undefined, find: () => Promise.resolve(() => ({ unreadable: CANARY })) },
      },
    });
    const [review, ...children] = tracer.spans;
    expect(children.map(({ name, parent, ends }) => [name, parent === review, ends])).to.deep.equal([
      ['look up images', true, 1],
      ['read objects', true, 1],
    ]);
    expect(children.map(({ attributes }) => attributes)).to.deep.equal([
      { 'vaultinjection.images': 2, 'vaultinjection.images.unknown': 1 },
      { 'vaultinjection.objects': 1, 'vaultinjection.objects.unreadable': 1 },
    ]);
    expect(JSON.stringify([review?.attributes, children.map(({ attributes }) => attributes)])).not.to.contain(CANARY);
  });

  it('has no child for what is known', async () => {
    const needs = { images: ['a'], serviceAccount: '', pullSecrets: [] };
    const known = () => () => ({ entrypoint: [], cmd: [] });
    const find = () => Promise.reject(new Error('nobody asks'));
    await reviewed({ mutate: () => ({ ...NOTHING, needs }), lookUps: { images: { known, find } } });
    expect(only().name).to.equal('review');
  });

  it('names no object whose name is none, and no kind that is not known', async () => {
    await reviewed({}, reviewBody({ object: { metadata: { name: HOSTILE } }, name: HOSTILE }));
    await reviewed({}, reviewBody({ object, kind: { group: CANARY, version: CANARY, kind: CANARY } }));
    for (const { attributes } of tracer.spans) {
      expect(JSON.stringify(attributes)).to.have.length.lessThan(500).and.not.contain(CANARY);
    }
  });

  it('is not collected where nobody records it', () => {
    const { logger } = testLog();
    const bare = createAdmission({
      rules: () => RULES,
      mutate: () => NOTHING,
      metrics: createWebhookMetrics(),
      logger,
    });
    // at once: no promise was put around the answer
    expect(bare('fail', reviewBody({ object }), TRACEPARENT)).not.to.be.instanceOf(Promise);
  });
});

describe('the names in traces', () => {
  it('are those of the conventions, or our own', () => {
    for (const name of Object.keys(SPAN_ATTRIBUTES))
      expect(name).to.match(/^(k8s|http|error|vaultinjection)\.[a-z0-9_.]+$/);
  });

  it('of spans have no text in them that differs from one to the next', () => {
    for (const name of Object.keys(SPANS)) expect(name).to.match(/^[a-z ]{5,30}$/);
  });
});
