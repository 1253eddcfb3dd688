import { expect } from 'chai';
import { hiddenIn, HOSTILE } from '../../support/hostile-text.ts';
import { BadReview, decodeReview, encodeReview } from '../../../webhook/review.ts';

const request = {
  uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
  kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
  namespace: 'shop',
  name: 'web',
  operation: 'CREATE',
  dryRun: false,
  object: { metadata: { name: 'web' }, spec: { someFutureField: { a: [1] } } },
};

function bytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function review(change: object): Buffer {
  return bytes({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { ...request, ...change } });
}

describe('reading an AdmissionReview', () => {
  it('returns the request, and the object with unknown fields', () => {
    const read = decodeReview(review({}));
    expect(read.uid).to.equal(request.uid);
    expect(read.kind).to.deep.equal(request.kind);
    expect(read.object).to.deep.equal(request.object);
    expect(read.dryRun).to.equal(false);
  });

  it('calls an object without a name by its generateName', () => {
    expect(decodeReview(review({ name: '', object: { metadata: { generateName: 'web-' } } })).name).to.equal('web-');
  });

  it('calls an object nothing that no API server would store', () => {
    for (const name of ['../x', 'a%2fb', 'a b', 'Web', 'a\nb', 'x'.repeat(254)]) {
      expect(decodeReview(review({ name })).name, name).to.equal('');
      expect(decodeReview(review({ name: '', object: { metadata: { generateName: name } } })).name).to.equal('');
    }
  });

  it('refuses a namespace that no API server has found', () => {
    for (const namespace of ['../x', 'shop/secrets', 'a.b', 'Shop', 'x'.repeat(64)]) {
      expect(() => decodeReview(review({ namespace })), namespace).to.throw(
        BadReview,
        'request.namespace is not the name of a namespace',
      );
    }
    expect(decodeReview(review({ namespace: undefined })).namespace).to.equal('');
  });

  it('needs no object for a DELETE', () => {
    expect(decodeReview(review({ operation: 'DELETE', object: null })).object).to.equal(undefined);
  });

  const nested = (levels: number): Buffer =>
    Buffer.from(
      `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE",` +
        `"kind":{},"object":{"spec":${'['.repeat(levels)}${']'.repeat(levels)}}}}`,
    );

  const bad: readonly [string, Buffer, string][] = [
    ['an empty body', Buffer.alloc(0), 'the body is not JSON'],
    ['half a review', review({}).subarray(0, 90), 'the body is not JSON'],
    ['a list', bytes([]), 'the body is not an AdmissionReview: expected a JSON object'],
    ['null', bytes(null), 'the body is not an AdmissionReview: expected a JSON object'],
    ['a Pod', bytes({ apiVersion: 'v1', kind: 'Pod' }), 'the body is not an AdmissionReview: wrong kind'],
    [
      'v1beta1',
      bytes({ apiVersion: 'admission.k8s.io/v1beta1', kind: 'AdmissionReview', request }),
      'unsupported apiVersion: this webhook supports admission.k8s.io/v1',
    ],
    [
      'a review that is an answer',
      bytes({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: {} }),
      'the AdmissionReview has no request',
    ],
    ['no uid', review({ uid: undefined }), 'request.uid is missing'],
    ['an empty uid', review({ uid: '' }), 'request.uid is missing'],
    ['a uid that is no text', review({ uid: { a: 1 } }), 'request.uid is missing'],
    ['a uid of a megabyte', review({ uid: 'x'.repeat(2 ** 20) }), 'request.uid is too long'],
    ['no operation', review({ operation: undefined }), 'request.operation is missing'],
    ['no kind', review({ kind: null }), 'request.kind is missing'],
    ['a CREATE of nothing', review({ object: null }), 'request.object is missing'],
    ['an UPDATE to a list', review({ operation: 'UPDATE', object: [] }), 'request.object is missing'],
    ['300 levels of lists', nested(300), 'request.object nests deeper than 200 levels'],
    ['a million levels of lists', nested(1e6), 'request.object nests deeper than 200 levels'],
  ];
  for (const [what, body, message] of bad) {
    it(`rejects ${what}`, () => expect(() => decodeReview(body)).to.throw(BadReview, message));
  }

  it('accepts the deepest object that a person could write', () => {
    expect(decodeReview(nested(150)).uid).to.equal('1');
  });
});

describe('writing an AdmissionReview', () => {
  const decoded = (text: string): { response: Record<string, unknown> } =>
    JSON.parse(text) as { response: Record<string, unknown> };

  it('leaves out what is empty', () => {
    expect(JSON.parse(encodeReview({ uid: 'u', allowed: true, patch: [], warnings: [] }))).to.deep.equal({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: 'u', allowed: true },
    });
  });

  it('encodes the patch in base64 and says what kind of patch it is', () => {
    const patch = [
      { op: 'add', path: '/spec/template/metadata/annotations', value: { note: 'größer als 💾' } },
    ] as const;
    const { response } = decoded(encodeReview({ uid: 'u', allowed: true, patch }));
    expect(response.patchType).to.equal('JSONPatch');
    expect(JSON.parse(Buffer.from(String(response.patch), 'base64').toString())).to.deep.equal(patch);
  });

  it('shows all text to the person who made the request', () => {
    const status = { code: 403, reason: 'EntrypointUnknown', message: HOSTILE };
    const texts = { warnings: [HOSTILE], auditAnnotations: { containers: HOSTILE }, status };
    const {
      warnings,
      auditAnnotations,
      status: shown,
    } = decoded(encodeReview({ uid: 'u', allowed: false, ...texts })).response as typeof texts;
    expect([warnings[0], auditAnnotations.containers, shown.message].flatMap((text) => hiddenIn(text ?? ''))).to.be
      .empty;
    expect([warnings[0]?.length, auditAnnotations.containers.length, shown.message.length]).to.deep.equal([
      120, 4_000, 2_000,
    ]);
  });

  it('carries warnings, audit annotations and the reason of a denial', () => {
    const status = { code: 403, reason: 'PathNotAllowed', message: 'say "please"' };
    const text = encodeReview({
      uid: 'a"b',
      allowed: false,
      warnings: ['w'],
      auditAnnotations: { result: 'Denied' },
      status,
    });
    expect(decoded(text).response).to.deep.equal({
      uid: 'a"b',
      allowed: false,
      warnings: ['w'],
      auditAnnotations: { result: 'Denied' },
      status: { status: 'Failure', ...status },
    });
  });
});
