/** The body of a review of a Deployment that is created, with what is given over the least that the API server sends. */
export function reviewBody(change: object = {}): Buffer {
  const request = {
    uid: 'uid-1',
    operation: 'CREATE',
    kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    namespace: 'shop',
    name: 'web',
    object: { metadata: { name: 'web' }, spec: {} },
    ...change,
  };
  return Buffer.from(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }));
}
